#pragma once

// Who a client is. There is one user, "default"; its password is the option requirepass, and without one it needs none.

#include "base/bytes.h"

namespace larder {

struct Client;
struct Services;
struct Settings;

inline constexpr Bytes kDefaultUser = "default";

// Equality in a time that depends on the length of `given` alone, never on how much of `secret` it guesses right.
bool equal_in_constant_time(Bytes secret, Bytes given);

bool user_exists(Bytes name);

// True while the client must authenticate before it may do anything else. A password that was taken away frees the
// clients that were waiting for it; one that is set later leaves the clients alone that are connected already.
bool must_authenticate(const Client& client, const Settings& settings);

// Checks name and password and, when they are right, makes the client that user. A failure is counted
// (acl_access_denied_auth).
bool authenticate(Client& client, Services& services, Bytes user, Bytes password);

// Back to what a new connection is: the default user, authenticated only if it needs no password.
void forget_authentication(Client& client, const Settings& settings);

}  // namespace larder
