#include "persistence/rdb_look.h"

namespace larder {
namespace {

constexpr int kDatabases = 16384;  // more than any server has
constexpr size_t kKeysPerStep = 64;

}  // namespace

StoreOptions RdbLook::store_options() {
  StoreOptions options;
  options.database_count = 1;
  return options;
}

RdbLoadOptions RdbLook::load_options(int64_t now_ms) {
  RdbLoadOptions options;
  options.now_ms = now_ms;
  options.drop_expired = now_ms > 0;
  options.only_check = true;
  options.databases = kDatabases;
  return options;
}

RdbLook::RdbLook(File& file, uint64_t file_bytes, int64_t now_ms)
    : store_(store_options()), loader_(store_, file, 0, file_bytes, load_options(now_ms)) {
  store_.set_expiry_mode(ExpiryMode::kKeep);
}

Status RdbLook::run(const std::function<bool()>& goes_on) {
  while (!goes_on || goes_on()) {
    LARDER_TRY_ASSIGN(const bool more, loader_.step(kKeysPerStep));
    if (!more) break;
  }
  return {};
}

}  // namespace larder
