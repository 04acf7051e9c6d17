#include "server/config/option_table.h"

#include <algorithm>
#include <map>

#include "base/assert.h"
#include "base/glob.h"

namespace larder {
namespace {

std::string failure_text(Bytes name, Bytes reason) {
  return "ERR CONFIG SET failed (possibly related to argument '" + std::string(name) + "') - " + std::string(reason);
}

// A value as CONFIG SET gives it, cut into words where the option takes several.
std::vector<Bytes> words_of(const OptionRow& row, Bytes value) {
  if (!row.has(kMultiArgument)) return {value};
  return split_at_spaces(value);
}

}  // namespace

OptionTable::OptionTable(Settings& settings) : settings_(settings) {}

std::vector<OptionTable::Named> OptionTable::find(std::span<const Bytes> patterns) const {
  std::map<Bytes, const OptionRow*> found;
  for (const Bytes pattern : patterns) {
    if (glob_is_literal(pattern)) {
      if (const OptionRow* row = find_option(pattern)) found.emplace(pattern, row);
      continue;
    }
    for (const OptionRow& row : option_rows()) {
      if (row.has(kHidden)) continue;
      if (glob_match(pattern, row.name, true)) found.emplace(row.name, &row);
      if (!row.alias.empty() && glob_match(pattern, row.alias, true)) found.emplace(row.alias, &row);
    }
  }
  std::vector<Named> named;
  named.reserve(found.size());
  for (const auto& [name, row] : found) named.push_back({name, write_option(*row, settings_)});
  return named;
}

std::optional<std::string> OptionTable::text_of(Bytes name) const {
  const OptionRow* row = find_option(name);
  if (row == nullptr) return {};
  return write_option(*row, settings_);
}

Status OptionTable::resolve(std::span<const Assignment> assignments, ProtectedConfigs protected_configs,
                            std::vector<const OptionRow*>& rows) const {
  if (assignments.size() > kAssignmentsMax)
    return {ErrorCode::kResourceLimit, "ERR too many options in one CONFIG SET"};
  for (size_t i = 0; i < assignments.size(); ++i) {
    const Bytes name = assignments[i].name;
    const OptionRow* row = find_option(name);
    if (row == nullptr) {
      return {ErrorCode::kNotFound,
              "ERR Unknown option or number of arguments for CONFIG SET - '" + std::string(name) + "'"};
    }
    if (row->has(kImmutable)) return {ErrorCode::kPermission, failure_text(name, "can't set immutable config")};
    if (row->has(kProtectedConfig) && protected_configs == ProtectedConfigs::kRefuse) {
      return {ErrorCode::kPermission, failure_text(name, "can't set protected config")};
    }
    // An option under both of its names is no duplicate: the last one counts, as in a file.
    for (size_t j = 0; j < i; ++j) {
      if (equals_ignore_case(assignments[j].name, name)) {
        return {ErrorCode::kInvalidArgument, failure_text(name, "duplicate parameter")};
      }
    }
    rows.push_back(row);
  }
  return {};
}

Status OptionTable::set(std::span<const Assignment> assignments, ProtectedConfigs protected_configs) {
  std::vector<const OptionRow*> rows;
  LARDER_TRY(resolve(assignments, protected_configs, rows));
  const Settings before = settings_;
  for (size_t i = 0; i < assignments.size(); ++i) {
    const Status read = read_option(*rows[i], words_of(*rows[i], assignments[i].value), settings_);
    if (!read.ok()) {
      settings_ = before;
      return {read.code(), failure_text(assignments[i].name, read.message())};
    }
  }
  const OptionRow* failed = nullptr;
  const Status applied = apply_or_take_back(before, rows, &failed);
  if (applied.ok()) return {};
  const auto at = std::find(rows.begin(), rows.end(), failed);
  LARDER_ASSERT(at != rows.end());
  return {applied.code(), failure_text(assignments[static_cast<size_t>(at - rows.begin())].name, applied.message())};
}

Status OptionTable::set_one(Bytes name, std::span<const Bytes> words) {
  const OptionRow* row = find_option(name);
  if (row == nullptr) return {ErrorCode::kNotFound, "no option '" + std::string(name) + "'"};
  const Settings before = settings_;
  LARDER_TRY(read_option(*row, words, settings_));
  const OptionRow* failed = nullptr;
  return apply_or_take_back(before, {&row, 1}, &failed);
}

Status OptionTable::apply_or_take_back(const Settings& before, std::span<const OptionRow* const> rows,
                                       const OptionRow** failed) {
  std::vector<const OptionRow*> changed;
  for (const OptionRow* row : rows) {
    if (!same_value(*row, before, settings_)) changed.push_back(row);
  }
  Status applied = apply_changes(changed, failed);
  if (applied.ok()) return {};
  settings_ = before;
  // The old values were in force a moment ago: whoever fails to return to them has logged it, and there is nobody left
  // to tell.
  const OptionRow* ignored = nullptr;
  (void)apply_changes(changed, &ignored);
  return applied;
}

Status OptionTable::apply_changes(std::span<const OptionRow* const> changed, const OptionRow** failed) {
  for (const Subscriber& subscriber : subscribers_) {
    const OptionRow* cause = nullptr;
    for (const OptionRow* row : changed) {
      if (std::find(subscriber.rows.begin(), subscriber.rows.end(), row) != subscriber.rows.end()) cause = row;
    }
    if (cause == nullptr) continue;
    Status applied = subscriber.apply();
    if (!applied.ok()) {
      *failed = cause;
      return applied;
    }
  }
  return {};
}

OptionTable::Subscriber OptionTable::subscriber_of(std::initializer_list<Bytes> names, std::function<Status()> apply) {
  Subscriber subscriber;
  for (const Bytes name : names) {
    const OptionRow* row = find_option(name);
    LARDER_ASSERT(row != nullptr);
    subscriber.rows.push_back(row);
  }
  subscriber.apply = std::move(apply);
  return subscriber;
}

void OptionTable::subscribe(std::initializer_list<Bytes> names, std::function<Status()> apply) {
  subscribers_.push_back(subscriber_of(names, std::move(apply)));
}

void OptionTable::subscribe_first(std::initializer_list<Bytes> names, std::function<Status()> apply) {
  subscribers_.insert(subscribers_.begin(), subscriber_of(names, std::move(apply)));
}

}  // namespace larder
