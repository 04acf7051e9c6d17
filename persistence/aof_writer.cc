#include "persistence/aof_writer.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"

namespace larder {
namespace {

// The part of the file that is added as padding, within bounds: making it costs a commit of the file system's journal and
// writing its bytes twice, so it is to be long, but small in a small log.
constexpr uint64_t kPaddingPart = 4;
constexpr uint64_t kPaddingBytesMin = 4096;
constexpr uint64_t kPaddingBytesMax = 1024 * 1024;
// Where in a sector of the disk (or of any multiple of this size) padding ends. Never between two: a sector with an end line that
// should have been overwritten and was not then has zeros behind it, and not the rest of a group that was written over it.
constexpr uint64_t kSectorBytes = 512;
constexpr uint64_t kPaddingEndInSector = 504;

// A group that fills less than this part of its memory is kept in memory of its own size.
constexpr size_t kFullPart = 4;

// What is missing from `end` to the end of a block, in lines: there is none of one byte.
size_t filler_bytes(uint64_t end) {
  const size_t missing = (kBlockBytes - end % kBlockBytes) % kBlockBytes;
  return missing == 1 ? missing + kBlockBytes : missing;
}

}  // namespace

AofWriter::AofWriter(FileSystem& files, Options options)
    : files_(files), options_(std::move(options)), random_(options_.random_seed) {}

// ---- Opening

Status AofWriter::prepare_directory() {
  LARDER_TRY_ASSIGN(const bool exists, files_.exists(options_.directory));
  if (exists) return {};
  LARDER_TRY(files_.make_directory(options_.directory));
  return names_files_ ? files_.sync_directory(parent_path(options_.directory)) : Status();
}

Status AofWriter::count_from(const AofManifest& manifest) {
  last_base_sequence_ = manifest.base ? manifest.base->sequence : 0;
  last_incremental_sequence_ = manifest.incremental.empty() ? 0 : manifest.incremental.back().sequence;
  LARDER_TRY_ASSIGN(const std::vector<DirectoryEntry> entries, files_.list(options_.directory));
  bool found = false;
  for (const DirectoryEntry& entry : entries) {
    const std::optional<AofPart> part = aof_part_of_name(options_.file_name, entry.name);
    if (!part) continue;
    found = true;
    uint64_t& last = part->is_base ? last_base_sequence_ : last_incremental_sequence_;
    last = std::max(last, part->sequence);
  }
  has_unnamed_files_ = found && manifest.empty();
  return {};
}

Status AofWriter::open(AofManifest manifest, const Resume& resume) {
  manifest_ = std::move(manifest);
  named_lock_ = resume.lock;
  names_files_ = true;
  LARDER_TRY(prepare_directory());
  LARDER_TRY(count_from(manifest_));
  if (!manifest_.incremental.empty()) {
    LARDER_TRY(resume_file(resume));
    if (!manifest_.history.empty()) remove_history();  // whoever wrote the manifest has ended before that
    return {};
  }
  LARDER_TRY(begin_file());
  manifest_.incremental.push_back(file_entry_);
  count_other_files();
  return write_manifest();
}

Status AofWriter::open_without_base(AofManifest manifest, std::shared_ptr<FileLock> lock) {
  manifest_ = std::move(manifest);
  named_lock_ = std::move(lock);
  names_files_ = false;
  LARDER_TRY(prepare_directory());
  LARDER_TRY(count_from(manifest_));
  if (const Status begun = begin_file(); !begun.ok()) {
    (void)files_.remove(path_of(incremental_name(last_incremental_sequence_)));
    return begun;
  }
  unnamed_from_ = file_entry_.sequence;
  manifest_.incremental.push_back(file_entry_);
  count_other_files();
  return {};
}

Status AofWriter::resume_file(const Resume& resume) {
  file_entry_ = manifest_.incremental.back();
  // What was loaded is there, or somebody has taken it away: then nothing is begun in its place.
  LARDER_TRY(files_.file_size(path_of(file_entry_.name)).status());
  LARDER_TRY_ASSIGN(file_, files_.open(path_of(file_entry_.name), OpenMode::kOverwrite));
  LARDER_TRY_ASSIGN(padded_bytes_, file_->size());
  file_bytes_ = std::min(resume.end.value_or(padded_bytes_), padded_bytes_);
  pads_ = true;
  LARDER_TRY(cut_padding());
  salt_ = resume.salt.value_or(random_.next());
  sequence_ = resume.last_sequence;
  if (!resume.salt) {
    // An empty file that another server has left does not become one that begins as ours do: those never follow an empty one.
    if (file_bytes_ == 0) LARDER_TRY(put(kAofShortLine));
    char line[kAofFileLineBytes];
    write_aof_file_line(line, AofFileKind::kIncremental, salt_);
    LARDER_TRY(put({line, sizeof line}));
  }
  LARDER_TRY(file_->sync());
  safe_bytes_ = whole_bytes_ = file_bytes_;
  safe_sequence_ = durable_sequence_ = sequence_;
  claimed_sequence_ = 0;
  count_other_files();
  return {};
}

std::string AofWriter::incremental_name(uint64_t sequence) const {
  return names_files_ ? aof_incr_name(options_.file_name, sequence)
                      : unnamed_aof_incr_name(options_.file_name, sequence);
}

Status AofWriter::begin_file() {
  // One that is there is nobody's but who made it.
  while (file_size_or_zero(incremental_name(last_incremental_sequence_ + 1)) > 0) ++last_incremental_sequence_;
  const uint64_t number = ++last_incremental_sequence_;
  AofManifest::File entry{incremental_name(number), number};
  LARDER_TRY_ASSIGN(std::unique_ptr<File> file, files_.open(path_of(entry.name), OpenMode::kOverwrite));
  const uint64_t salt = random_.next();
  LARDER_TRY(write_file_line(*file, salt));
  if (names_files_) LARDER_TRY(file->sync());
  file_ = std::move(file);
  if (auto lock = files_.lock(path_of(entry.name)); lock) lock_ = std::move(*lock);
  file_entry_ = std::move(entry);
  salt_ = salt;
  sequence_ = durable_sequence_ = claimed_sequence_ = safe_sequence_ = 0;
  file_bytes_ = whole_bytes_ = safe_bytes_ = padded_bytes_ = kAofFileLineBytes;
  sync_failed_ = false;
  claim_bytes_ = 0;
  is_begun_durably_ = names_files_;
  is_cut_ = false;
  pads_ = true;
  return {};
}

Status AofWriter::write_file_line(File& file, uint64_t salt) {
  char line[kAofFileLineBytes];
  write_aof_file_line(line, AofFileKind::kIncremental, salt);
  return file.write_at(0, {line, sizeof line});
}

Status AofWriter::write_manifest() { return names_files_ ? replace_manifest(manifest_) : Status(); }

Status AofWriter::replace_manifest(const AofManifest& manifest) {
  LARDER_TRY(write_aof_manifest(files_, options_.directory, options_.file_name, manifest));
  if (lock_) named_lock_ = lock_;
  return {};
}

// ---- Groups

Status AofWriter::fail(Status why) {
  if (!failed()) failure_ = why;
  return why;
}

Status AofWriter::fail_sync(Status why) {
  if (dropped_number_ > durable_number_) {
    needs_base_ = true;
    mended_from_ = 0;
  }
  sync_failed_ = true;
  return fail(std::move(why));
}

Status AofWriter::append(AofGroup group) {
  if (group.empty()) {
    uint64_t& last = failed() && !kept_.empty() ? kept_.back().number : written_number_;
    last = std::max(last, group.number);
    return {};
  }
  selected_db_ = group.db_after;
  Status written = failed() ? failure_ : Status();
  if (written.ok()) {
    const bool is_large = group.bytes.size() >= options_.uncached_bytes_min;
    written = write_group(group, is_large && avoids_cache_ && sync_rule_ != AofSyncRule::kAlways);
    if (written.ok()) written_number_ = group.number;
  }
  keep(std::move(group));
  if (!written.ok()) return fail(std::move(written));
  if (sync_rule_ == AofSyncRule::kNever) {
    safe_bytes_ = file_bytes_;
    safe_sequence_ = sequence_;
    claim_bytes_ = 0;
    dropped_number_ = written_number_;
    drop_kept();
  }
  return {};
}

// A small group does not keep the memory of a large one.
void AofWriter::keep(AofGroup group) {
  if (AofBuffers::is_one(group.bytes) && group.bytes.size() < group.bytes.capacity() / kFullPart) {
    Buffer small(group.bytes.size());
    small.append(group.bytes.bytes());
    small.swap(group.bytes);
    buffers_.give_back(std::move(small));
  }
  kept_bytes_ += group.bytes.size();
  kept_.push_back(std::move(group));
}

void AofWriter::drop_kept() { drop_kept_until(UINT64_MAX); }

void AofWriter::drop_kept_until(uint64_t number) {
  while (!kept_.empty() && kept_.front().number <= number) {
    kept_bytes_ -= kept_.front().bytes.size();
    buffers_.give_back(std::move(kept_.front().bytes));
    kept_.pop_front();
  }
}

Status AofWriter::write_group(AofGroup& group, bool around_cache) {
  if (around_cache) append_aof_filler(group.bytes, filler_bytes(file_bytes_ + group.bytes.size()));
  const Bytes commands = group.bytes.bytes().substr(kAofGroupLineBytes);
  write_aof_group_line(group.bytes.mutable_data(), salt_, sequence_ + 1, durable_sequence_, commands);
  LARDER_TRY(put(group.bytes.bytes(), around_cache));
  ++sequence_;
  claimed_sequence_ = durable_sequence_;
  whole_bytes_ = file_bytes_;
  return {};
}

Status AofWriter::put(Bytes bytes, bool around_cache) {
  LARDER_TRY(make_room(bytes.size()));
  const auto write = [this, around_cache](Bytes piece) -> Status {
    LARDER_TRY(around_cache ? file_->write_uncached_at(file_bytes_, piece) : file_->write_at(file_bytes_, piece));
    file_bytes_ += piece.size();
    padded_bytes_ = std::max(padded_bytes_, file_bytes_);
    return {};
  };
  LARDER_TRY(write(bytes));
  return aof_padding_is_misread(padded_bytes_ - file_bytes_) ? write(kAofShortLine) : Status();
}

Status AofWriter::make_room(uint64_t bytes) {
  const uint64_t end = file_bytes_ + bytes + kAofShortLine.size();
  if (padded_bytes_ >= end + kAofPaddingBytesMin) return {};
  if (sync_rule_ != AofSyncRule::kAlways || !pads_ || bytes > kPaddingBytesMax) return cut_padding();
  // The old end line becomes padding too, so that a process which is killed between two calls leaves nothing else.
  const uint64_t begin = padded_bytes_ == file_bytes_ ? file_bytes_ : padded_bytes_ - kAofPaddingEndBytes;
  const uint64_t wanted = end + std::clamp(end / kPaddingPart, kPaddingBytesMin, kPaddingBytesMax);
  padded_bytes_ = wanted + (kPaddingEndInSector - wanted) % kSectorBytes;
  std::string padding(padded_bytes_ - begin, '\0');
  write_aof_padding(padding.data(), padding.size(), salt_, begin);
  if (file_->write_at(begin, padding).ok()) return {};
  pads_ = false;  // it goes without
  return cut_padding();
}

Status AofWriter::cut_padding() {
  if (padded_bytes_ == file_bytes_) return {};
  LARDER_TRY(file_->truncate(file_bytes_));
  padded_bytes_ = file_bytes_;
  return {};
}

Status AofWriter::sync() {
  if (failed()) return failure_;
  if (durable_sequence_ == sequence_ && safe_bytes_ == file_bytes_) return {};
  if (Status synced = file_->sync(); !synced.ok()) return fail_sync(std::move(synced));
  note_synced();
  return {};
}

void AofWriter::note_synced() {
  safe_bytes_ = whole_bytes_;
  claim_bytes_ = 0;
  is_begun_durably_ = true;
  safe_sequence_ = durable_sequence_ = sequence_;
  if (!needs_base_) durable_number_ = written_number_;
  drop_kept_until(written_number_);
}

Status AofWriter::claim() {
  if (failed()) return failure_;
  if (claimed_sequence_ == durable_sequence_) return {};
  char line[kAofDurableLineBytes];
  write_aof_durable_line(line, salt_, durable_sequence_);
  if (Status written = put({line, sizeof line}); !written.ok()) return fail(std::move(written));
  claimed_sequence_ = durable_sequence_;
  whole_bytes_ = file_bytes_;
  // A claim that is lost costs nothing: it needs no sync.
  if (safe_bytes_ + sizeof line == file_bytes_) {
    safe_bytes_ = file_bytes_;
    claim_bytes_ = sizeof line;
  }
  return {};
}

Status AofWriter::finish_file() {
  LARDER_TRY(sync());
  LARDER_TRY(claim());
  if (Status cut = cut_padding(); !cut.ok()) return fail(std::move(cut));
  // The claim too: only the last file of a log may end in the middle of something.
  if (Status synced = file_->sync(); !synced.ok()) return fail_sync(std::move(synced));
  is_begun_durably_ = true;
  return {};
}

Status AofWriter::close() {
  if (!file_) return {};
  LARDER_TRY(finish_file());
  const Status closed = file_->close();
  file_.reset();
  return closed;
}

void AofWriter::remove_unnamed_files() {
  if (names_files_) return;
  for (const AofManifest::File& file : manifest_.incremental) {
    if (file.sequence >= unnamed_from_) (void)files_.remove(path_of(file.name));
  }
}

// ---- Files

Result<uint64_t> AofWriter::rotate() {
  LARDER_TRY(finish_file());
  LARDER_TRY(prepare_directory());
  if (Status begun = begin_file(); !begun.ok()) {
    (void)files_.remove(path_of(incremental_name(last_incremental_sequence_)));
    return begun;
  }
  manifest_.incremental.push_back(file_entry_);
  count_other_files();
  if (Status written = write_manifest(); !written.ok()) return fail(std::move(written));
  if (needs_base_ && mended_from_ == 0) mended_from_ = file_entry_.sequence;
  return file_entry_.sequence;
}

Status AofWriter::prepare_to_be_named() {
  if (failed()) return failure_;
  if (Status synced = file_->sync(); !synced.ok()) return fail_sync(std::move(synced));
  note_synced();
  return files_.sync_directory(parent_path(options_.directory));
}

Status AofWriter::adopt_base(const std::string& temporary_name, bool is_rdb, uint64_t first_sequence) {
  Status adopted = names_files_ ? Status() : prepare_to_be_named();
  if (adopted.ok()) adopted = name_base(temporary_name, is_rdb, first_sequence);
  if (!adopted.ok() && !temporary_name.empty()) remove_temporary(temporary_name);
  return adopted;
}

// The files from `first_sequence` on get the names that the manifest will name them by. What is named so and is not in it after
// all goes as the others do.
Status AofWriter::name_incremental_files(uint64_t first_sequence) {
  if (names_files_) return {};
  for (AofManifest::File& file : manifest_.incremental) {
    const std::string name = aof_incr_name(options_.file_name, file.sequence);
    if (file.sequence < first_sequence || file.name == name) continue;
    LARDER_TRY(files_.rename(path_of(file.name), path_of(name)));
    file.name = name;
  }
  file_entry_ = manifest_.incremental.back();
  return {};
}

Status AofWriter::name_base(const std::string& temporary_name, bool is_rdb, uint64_t first_sequence) {
  LARDER_TRY(name_incremental_files(first_sequence));
  AofManifest next = manifest_;
  if (manifest_.base) next.history.push_back(*manifest_.base);
  next.base.reset();
  next.incremental.clear();
  for (const AofManifest::File& file : manifest_.incremental) {
    (file.sequence < first_sequence ? next.history : next.incremental).push_back(file);
  }
  if (!temporary_name.empty()) {
    const uint64_t number = ++last_base_sequence_;
    next.base = AofManifest::File{aof_base_name(options_.file_name, number, is_rdb), number};
    LARDER_TRY(files_.rename(path_of(temporary_name), path_of(next.base->name)));
  }
  Status named = files_.sync_directory(options_.directory);
  if (named.ok()) named = replace_manifest(next);
  if (!named.ok()) {
    if (next.base) drop_base(*next.base);
    return named;
  }
  manifest_ = std::move(next);
  names_files_ = true;
  if (mended_from_ != 0 && first_sequence >= mended_from_) {
    needs_base_ = false;
    mended_from_ = 0;
    if (durable_sequence_ == sequence_) durable_number_ = written_number_;
  }
  remove_history();
  count_other_files();
  return {};
}

// A manifest whose replacement has failed may be the new one, which names the base: it goes when the next one has not named
// it any more.
void AofWriter::drop_base(const AofManifest::File& base) {
  const Result<AofManifest> there = read_aof_manifest(files_, options_.directory, options_.file_name);
  const bool is_unnamed = there && (!there->base || there->base->name != base.name);
  if (!is_unnamed || !files_.remove(path_of(base.name)).ok()) manifest_.history.push_back(base);
}

// What cannot be removed now stays in the manifest's history and is tried again after the next rewrite.
void AofWriter::remove_history() {
  std::vector<AofManifest::File> left;
  for (AofManifest::File& file : manifest_.history) {
    const Status removed = files_.remove(path_of(file.name));
    if (!removed.ok() && removed.code() != ErrorCode::kNotFound) left.push_back(std::move(file));
  }
  manifest_.history = std::move(left);
  (void)write_manifest();
}

uint64_t AofWriter::file_size_or_zero(const std::string& name) const {
  return files_.file_size(path_of(name)).value_or(0);
}

void AofWriter::count_other_files() {
  other_files_bytes_ = manifest_.base ? file_size_or_zero(manifest_.base->name) : 0;
  for (const AofManifest::File& file : manifest_.incremental) {
    if (file.sequence != file_entry_.sequence) other_files_bytes_ += file_size_or_zero(file.name);
  }
}

// ---- Healing

Status AofWriter::sync_what_is_whole() {
  LARDER_TRY(file_->truncate(whole_bytes_));
  file_bytes_ = padded_bytes_ = whole_bytes_;
  if (Status synced = file_->sync(); !synced.ok()) return fail_sync(std::move(synced));
  note_synced();
  return {};
}

// Nothing of the kept groups may stay in the old file, or they would be executed twice.
Status AofWriter::cut_current_file() {
  // Once it is cut it stays so: a manifest may name the file behind it that could not be replaced.
  if (!file_ || is_cut_) return {};
  if (!sync_failed_) LARDER_TRY(sync_what_is_whole());
  // Nor a claim that was to be synced with what could not be.
  const uint64_t bytes = safe_bytes_ - claim_bytes_;
  LARDER_TRY(file_->truncate(bytes));
  // Nor is a sync of the first line that has failed tried again with the same bytes.
  if (!is_begun_durably_) LARDER_TRY(write_file_line(*file_, salt_));
  file_bytes_ = padded_bytes_ = whole_bytes_ = safe_bytes_ = bytes;
  claim_bytes_ = 0;
  // Another file follows: this one says where it ends.
  const bool is_claimed = !sync_failed_ && claimed_sequence_ == safe_sequence_;
  if (safe_sequence_ > 0 && !is_claimed) {
    char line[kAofDurableLineBytes];
    write_aof_durable_line(line, salt_, safe_sequence_);
    LARDER_TRY(file_->write_at(bytes, {line, sizeof line}));
    claim_bytes_ = sizeof line;
    file_bytes_ = padded_bytes_ = whole_bytes_ = safe_bytes_ = bytes + sizeof line;
  }
  LARDER_TRY(file_->sync());
  is_cut_ = true;
  return {};
}

// Puts the kept groups into a new file that is the current one then.
Status AofWriter::write_kept_anew() {
  LARDER_TRY(begin_file());
  // A file begins with database 0 for whoever loads it.
  if (const int32_t db = kept_.empty() ? selected_db_ : kept_.front().db_before; db > 0) {
    const std::string index = std::to_string(db);
    const Bytes select[] = {kAofSelect, index};
    AofGroup group{AofGroup::with_room()};
    append_aof_command(group.bytes, select);
    LARDER_TRY(write_group(group));
  }
  for (AofGroup& group : kept_) LARDER_TRY(write_group(group));
  return file_->sync();
}

Status AofWriter::heal() {
  LARDER_ASSERT(failed());
  LARDER_TRY(cut_current_file());
  std::unique_ptr<File> old_file = std::move(file_);
  const AofManifest::File old_entry = file_entry_;
  const uint64_t old_bytes = safe_bytes_;
  Status healed = write_kept_anew();
  if (!healed.ok()) {
    (void)files_.remove(path_of(incremental_name(last_incremental_sequence_)));
  } else {
    manifest_.incremental.push_back(file_entry_);
    healed = write_manifest();
    // It may name the new file all the same: that stays, and holds what it should. The next try is another file.
    if (!healed.ok()) manifest_.incremental.pop_back();
  }
  if (!healed.ok()) {
    file_entry_ = old_entry;
    file_bytes_ = whole_bytes_ = safe_bytes_ = padded_bytes_ = old_bytes;
    is_cut_ = old_file != nullptr;
    file_ = std::move(old_file);
    return healed;
  }
  if (!kept_.empty()) written_number_ = kept_.back().number;
  note_synced();
  count_other_files();
  failure_ = Status();
  return {};
}

}  // namespace larder
