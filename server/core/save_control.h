#pragma once

// When snapshots are written to the file `dbfilename`, and what became of them: SAVE, BGSAVE, the `save` points, the error
// state that refuses writes, the fields of INFO.

#include <cstdint>
#include <string>

#include "base/result.h"
#include "server/core/snapshot.h"

namespace larder {

class SaveControl {
 public:
  // All outlive this.
  SaveControl(Services& services, Snapshots& snapshots);

  // The data file, and its temporary name.
  std::string path() const;

  // Before anything is saved: removes what saves have left whose process has ended in the middle of them.
  void remove_unfinished();

  // SAVE: writes the file now. A snapshot of another kind that is running is brought to its end first.
  Status save_now();
  // BGSAVE: starts one. Requires: no snapshot is running.
  void save_in_background();
  // BGSAVE SCHEDULE while another kind of snapshot is running: starts as soon as that is over.
  void schedule();
  bool scheduled() const { return scheduled_; }
  // Gives up the running or the scheduled one. False if there is none that somebody asked for.
  bool cancel();
  // The same, and waits until nothing is being saved: one that follows a FLUSHALL is written to its end.
  void end();
  // Whether a snapshot into the data file is running.
  bool in_progress() const;
  // And is in the way of another one: not when it only follows a FLUSHALL, of which nobody who asks for one knows.
  bool is_in_the_way() const { return in_progress() && !follows_flush_; }

  // FLUSHALL: a running snapshot is of no use any more, and an empty file replaces the old one if there are save points: it is
  // begun `at_once`, or soon.
  void data_flushed(bool at_once);
  // Every 100 ms: save points and what was scheduled.
  void cron();
  // Before the process ends: waits until the log is durable, and saves if there are save points or the words of SHUTDOWN say
  // so. Whatever snapshot runs is given up, but that of a FLUSHALL. While data are loaded nothing is saved, because the file has more of them. Not ok: the process is not to end.
  struct AtShutdown {
    bool always = false;
    bool never = false;
    bool forced = false;  // it ends whatever is lost
  };
  Status save_at_shutdown(const AtShutdown& how);

  // The last background save failed, and writes are to be refused because of it.
  bool refuses_writes() const;

  // ---- For INFO
  uint64_t changes() const;
  int64_t last_save_ms() const { return last_save_ms_; }
  bool last_ok() const { return last_ok_; }
  int64_t last_duration_s() const { return last_duration_s_; }
  // Of the one that is running; -1 without one.
  int64_t running_s() const;
  uint64_t saves() const { return saves_; }
  // What was in the store was read from the file: nothing is unsaved.
  void note_loaded();

 private:
  std::string temporary_path() const;
  void begin();
  void finished(const Status& status, int64_t started_ms, uint64_t dirty_at_start);
  void note_saved(uint64_t dirty_at_start);

  Services& services_;
  Snapshots& snapshots_;
  bool scheduled_ = false;
  bool follows_flush_ = false;  // the one that is running, or scheduled
  bool last_ok_ = true;
  int64_t last_save_ms_ = 0;
  // By the clock that nobody sets, which decides when the next one is due.
  int64_t last_save_mono_ms_ = 0;
  int64_t last_try_mono_ms_ = 0;
  int64_t started_ms_ = 0;
  int64_t last_duration_s_ = -1;
  uint64_t saves_ = 0;
  uint64_t saved_dirty_ = 0;  // the count of changes that the file holds
};

}  // namespace larder
