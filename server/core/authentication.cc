#include "server/core/authentication.h"

#include "server/config/settings.h"
#include "server/core/client.h"
#include "server/core/server_stats.h"
#include "server/core/services.h"

namespace larder {

bool equal_in_constant_time(Bytes secret, Bytes given) {
  // Compares `given` with itself when the secret is empty or the lengths differ, so that the work stays the same.
  const Bytes against = secret.size() == given.size() ? secret : given;
  uint32_t difference = secret.size() == given.size() ? 0 : 1;
  for (size_t i = 0; i < given.size(); ++i) {
    const volatile char a = against[i];  // volatile: the loop must not be cut short by the compiler
    difference |= static_cast<uint32_t>(static_cast<unsigned char>(a) ^ static_cast<unsigned char>(given[i]));
  }
  return difference == 0;
}

bool user_exists(Bytes name) { return name == kDefaultUser; }

bool must_authenticate(const Client& client, const Settings& settings) {
  return (client.gate & kGateUnauthenticated) != 0 && !settings.requirepass.empty();
}

bool authenticate(Client& client, Services& services, Bytes user, Bytes password) {
  const Bytes secret = services.settings.requirepass;
  const bool right = secret.empty() || equal_in_constant_time(secret, password);
  if (!user_exists(user) || !right) {
    ++services.stats.acl_denied_auth;
    return false;
  }
  client.user = user;
  client.gate &= ~kGateUnauthenticated;
  return true;
}

void forget_authentication(Client& client, const Settings& settings) {
  client.user = kDefaultUser;
  if (settings.requirepass.empty()) {
    client.gate &= ~kGateUnauthenticated;
  } else {
    client.gate |= kGateUnauthenticated;
  }
}

}  // namespace larder
