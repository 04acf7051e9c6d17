//! The application flow of tests/clients/README.md on redis-rs. The same file is
//! built against every redis-rs version of this folder. LARDER_URL_QUERY is what
//! an application appends to its URL to ask for RESP3; empty means the defaults.

use redis::{cmd, pipe, Client, Commands, Connection, ExistenceCheck, Expiry, RedisError};
use redis::{RedisResult, SetExpiry, SetOptions};
use std::collections::{HashMap, HashSet};
use std::env;
use std::fmt::Debug;
use std::panic::{catch_unwind, set_hook, AssertUnwindSafe};
use std::process::exit;
use std::thread::{sleep, spawn};
use std::time::Duration;

const NAME: &str = "flow-redis-rs";
const ALLOWED: i64 = 100;
const WINDOW_SECONDS: i64 = 2;
const COUNTER: &str = "app:rate:client-9";

type Text = Option<String>;

/// Named checks: a check prints one line, which is what the runner counts.
struct Checks {
    failed: i32,
}

impl Checks {
    fn check(&mut self, name: &str, body: impl FnOnce() -> RedisResult<()>) {
        let why = match catch_unwind(AssertUnwindSafe(body)) {
            Ok(Ok(())) => return println!("ok {name}"),
            Ok(Err(error)) => error.to_string(),
            Err(panic) => match panic.downcast_ref::<String>() {
                Some(text) => text.clone(),
                None => "an assertion did not hold".to_string(),
            },
        };
        self.failed += 1;
        let line: Vec<&str> = why.split_whitespace().collect();
        println!("fail {name}: {}", line.join(" "));
    }
}

fn equal<T: PartialEq + Debug>(seen: T, expected: T) {
    if seen != expected {
        let text: String = format!("{seen:?} is not {expected:?}").chars().take(300).collect();
        panic!("{text}");
    }
}

fn between(seen: i64, low: i64, high: i64) {
    assert!(seen >= low && seen <= high, "{seen} is not within {low}..{high}");
}

fn client() -> Client {
    let host = env::var("LARDER_HOST").unwrap();
    let port = env::var("LARDER_PORT").unwrap();
    let query = env::var("LARDER_URL_QUERY").unwrap_or_default();
    Client::open(format!("redis://{host}:{port}/{query}")).unwrap()
}

fn connect() -> RedisResult<Connection> {
    let mut connection = client().get_connection()?;
    cmd("CLIENT").arg("SETNAME").arg(NAME).query::<String>(&mut connection)?;
    Ok(connection)
}

/// CLIENT INFO is one line of name=value fields, separated by spaces.
fn client_info(connection: &mut Connection) -> RedisResult<HashMap<String, String>> {
    let line: String = cmd("CLIENT").arg("INFO").query(connection)?;
    let fields = line.split_whitespace().filter_map(|word| word.split_once('='));
    Ok(fields.map(|(name, value)| (name.to_string(), value.to_string())).collect())
}

/// One request of the limiter: the first of a window starts its clock.
fn take_slot(connection: &mut Connection) -> RedisResult<bool> {
    let mut request = pipe();
    request.cmd("INCR").arg(COUNTER);
    request.cmd("EXPIRE").arg(COUNTER).arg(WINDOW_SECONDS).arg("NX").ignore();
    let (count,): (i64,) = request.query(connection)?;
    Ok(count <= ALLOWED)
}

fn rate_counter(checks: &mut Checks, c: &mut Connection) {
    checks.check("rate_counter_exact", || {
        let workers: Vec<_> = (0..8)
            .map(|_| {
                spawn(|| -> RedisResult<usize> {
                    let mut own = connect()?;
                    let mut granted = 0;
                    for _ in 0..25 {
                        granted += usize::from(take_slot(&mut own)?);
                    }
                    Ok(granted)
                })
            })
            .collect();
        let mut granted = 0;
        for worker in workers {
            granted += worker.join().unwrap()?;
        }
        equal(granted, ALLOWED as usize);
        between(c.ttl(COUNTER)?, 0, WINDOW_SECONDS);
        Ok(())
    });
}

fn rate_counter_resets(checks: &mut Checks, c: &mut Connection) {
    checks.check("rate_counter_resets", || {
        for _ in 0..80 {
            if !c.exists::<_, bool>(COUNTER)? {
                break;
            }
            sleep(Duration::from_millis(50));
        }
        equal(c.get::<_, Text>(COUNTER)?, None);
        equal(take_slot(c)?, true);
        equal(c.get::<_, i64>(COUNTER)?, 1);
        Ok(())
    });
}

fn profile_cache(checks: &mut Checks, c: &mut Connection) {
    let key = "app:profile:1";
    let profile = r#"{"id": 1, "name": "Ada"}"#;
    let some = |text: &str| Some(text.to_string());
    checks.check("profile_miss", || {
        equal(c.get::<_, Text>(key)?, None);
        Ok(())
    });
    checks.check("profile_set_with_ttl", || {
        equal(c.set_ex::<_, _, String>(key, profile, 60)?, "OK".to_string());
        Ok(())
    });
    checks.check("profile_hit", || {
        equal(c.get::<_, Text>(key)?, some(profile));
        Ok(())
    });
    checks.check("profile_ttl_in_range", || {
        between(c.ttl(key)?, 58, 60);
        between(c.pttl(key)?, 58001, 60000);
        Ok(())
    });
    checks.check("profile_multi_get", || {
        c.mset::<_, _, ()>(&[("app:profile:2", "two"), ("app:profile:3", "three")])?;
        let names = ["app:profile:3", "app:profile:absent", key, "app:profile:2"];
        let seen: Vec<Text> = c.mget(&names[..])?;
        equal(seen, vec![some("three"), None, some(profile), some("two")]);
        Ok(())
    });
    checks.check("profile_invalidate_del", || {
        equal(c.del::<_, i64>(&[key, "app:profile:absent"][..])?, 1);
        equal(c.get::<_, Text>(key)?, None);
        Ok(())
    });
    checks.check("profile_invalidate_unlink", || {
        let names = ["app:profile:2", "app:profile:3"];
        equal(c.unlink::<_, i64>(&names[..])?, 2);
        equal(c.exists::<_, i64>(&names[..])?, 0);
        Ok(())
    });
    checks.check("value_binary_safe", || {
        let value: Vec<u8> = (0..1024).map(|i| (i * 7 % 256) as u8).collect();
        let name = b"app:\0binary\xff\r\n";
        c.set::<_, _, ()>(&name[..], &value[..])?;
        equal(c.get::<_, Vec<u8>>(&name[..])?, value);
        Ok(())
    });
    checks.check("value_one_megabyte", || {
        let value = "larder!\n".repeat(131072);
        c.set::<_, _, ()>("app:large", &value)?;
        equal(c.strlen::<_, i64>("app:large")?, 1048576);
        equal(c.get::<_, String>("app:large")?, value);
        Ok(())
    });
    checks.check("key_utf8", || {
        let name = "app:schlüssel:鍵:🔑";
        c.set::<_, _, ()>(name, "grün")?;
        equal(c.get::<_, Text>(name)?, some("grün"));
        equal(c.keys::<_, Vec<String>>("app:schl*")?, vec![name.to_string()]);
        Ok(())
    });
}

fn session_store(checks: &mut Checks, c: &mut Connection) {
    let key = "app:session:7f";
    let create = || {
        let only_new = SetOptions::default().conditional_set(ExistenceCheck::NX);
        only_new.with_expiration(SetExpiry::EX(30))
    };
    let some = |text: &str| Some(text.to_string());
    checks.check("session_create", || {
        equal(c.set_options::<_, _, Text>(key, "user=1", create())?, some("OK"));
        Ok(())
    });
    checks.check("session_second_create_refused", || {
        equal(c.set_options::<_, _, Text>(key, "user=2", create())?, None);
        Ok(())
    });
    checks.check("session_read", || {
        equal(c.get::<_, Text>(key)?, some("user=1"));
        Ok(())
    });
    checks.check("session_sliding_expire", || {
        equal(c.expire::<_, bool>(key, 100)?, true);
        between(c.ttl(key)?, 98, 100);
        Ok(())
    });
    checks.check("session_sliding_getex", || {
        equal(c.get_ex::<_, Text>(key, Expiry::EX(200))?, some("user=1"));
        between(c.ttl(key)?, 198, 200);
        Ok(())
    });
    checks.check("session_expires_after_50_ms", || {
        c.pset_ex::<_, _, ()>("app:session:short", "x", 50)?;
        sleep(Duration::from_millis(120));
        equal(c.get::<_, Text>("app:session:short")?, None);
        equal(c.exists::<_, bool>("app:session:short")?, false);
        Ok(())
    });
    checks.check("session_delete", || {
        equal(c.get_del::<_, Text>(key)?, some("user=1"));
        equal(c.del::<_, i64>(key)?, 0);
        Ok(())
    });
    checks.check("ttl_codes", || {
        c.set::<_, _, ()>("app:session:forever", "x")?;
        for (name, code) in [("app:session:forever", -1), ("app:session:absent", -2)] {
            equal(cmd("TTL").arg(name).query::<i64>(c)?, code);
            equal(cmd("PTTL").arg(name).query::<i64>(c)?, code);
        }
        Ok(())
    });
}

fn connection_facts(checks: &mut Checks, c: &mut Connection) {
    checks.check("client_name", || {
        equal(cmd("CLIENT").arg("GETNAME").query::<String>(c)?, NAME.to_string());
        equal(client_info(c)?["name"].clone(), NAME.to_string());
        Ok(())
    });
    checks.check("client_library_name", || {
        let fields = client_info(c)?;
        if env::var("LARDER_EXPECT_LIBRARY_NAME").unwrap() == "1" {
            equal(fields["lib-name"].clone(), "redis-rs".to_string());
            assert!(!fields["lib-ver"].is_empty());
        }
        Ok(())
    });
    checks.check("pipeline_1000_in_order", || {
        let mut request = pipe();
        let mut expected = Vec::new();
        for i in 0..500 {
            request.set(format!("app:order:{i}"), format!("v{i}"));
            request.get(format!("app:order:{i}"));
            expected.push("OK".to_string());
            expected.push(format!("v{i}"));
        }
        equal(request.query::<Vec<String>>(c)?, expected);
        Ok(())
    });
    checks.check("error_reply_is_typed", || {
        c.set::<_, _, ()>("app:text", "not a number")?;
        let reply: Result<i64, RedisError> = c.incr("app:text", 1);
        let error = reply.expect_err("INCR of a text was accepted");
        equal(error.code(), Some("ERR"));
        equal(error.detail(), Some("value is not an integer or out of range"));
        equal(c.get::<_, String>("app:text")?, "not a number".to_string());
        Ok(())
    });
    checks.check("scan_5000_keys", || {
        let mut request = pipe();
        for i in 0..5000 {
            request.set(format!("app:scan:{i}"), 1).ignore();
        }
        request.query::<()>(c)?;
        let mut seen = HashSet::new();
        let mut cursor = 0u64;
        loop {
            let mut scan = cmd("SCAN");
            scan.arg(cursor).arg("MATCH").arg("app:scan:*").arg("COUNT").arg(250);
            let (next, page): (u64, Vec<String>) = scan.query(c)?;
            seen.extend(page);
            cursor = next;
            if cursor == 0 {
                break;
            }
        }
        equal(seen.len(), 5000);
        Ok(())
    });
    // A plain redis-rs connection does not reconnect by itself: an application asks
    // whether it is still open and takes a new one, as here.
    checks.check("reconnect_after_kill", || {
        let mut single = connect()?;
        let id: i64 = cmd("CLIENT").arg("ID").query(&mut single)?;
        equal(cmd("CLIENT").arg("KILL").arg("ID").arg(id).query::<i64>(c)?, 1);
        let lost = single.get::<_, Text>("app:text").expect_err("a killed connection answered");
        assert!(lost.is_connection_dropped() || lost.is_io_error(), "{lost}");
        let mut single = connect()?;
        equal(single.get::<_, String>("app:text")?, "not a number".to_string());
        assert!(cmd("CLIENT").arg("ID").query::<i64>(&mut single)? != id);
        Ok(())
    });
}

fn main() {
    set_hook(Box::new(|_| {})); // a failed check says why on its own line
    let mut checks = Checks { failed: 0 };
    let mut connection = match connect() {
        Ok(connection) => connection,
        Err(error) => {
            println!("fail connect_protocol: {error}");
            exit(1);
        }
    };
    checks.check("connect_protocol", || {
        equal(cmd("PING").query::<String>(&mut connection)?, "PONG".to_string());
        let expected = env::var("LARDER_EXPECT_RESP").unwrap();
        equal(client_info(&mut connection)?["resp"].clone(), expected);
        Ok(())
    });
    // The limiter first: its window runs out while the other checks are at work.
    rate_counter(&mut checks, &mut connection);
    profile_cache(&mut checks, &mut connection);
    session_store(&mut checks, &mut connection);
    connection_facts(&mut checks, &mut connection);
    rate_counter_resets(&mut checks, &mut connection);
    println!("end");
    exit(if checks.failed == 0 { 0 } else { 1 });
}
