import io.lettuce.core.ExpireArgs;
import io.lettuce.core.GetExArgs;
import io.lettuce.core.KeyScanCursor;
import io.lettuce.core.KeyValue;
import io.lettuce.core.KillArgs;
import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisCommandExecutionException;
import io.lettuce.core.RedisFuture;
import io.lettuce.core.RedisURI;
import io.lettuce.core.ScanArgs;
import io.lettuce.core.ScanCursor;
import io.lettuce.core.SetArgs;
import io.lettuce.core.api.StatefulRedisConnection;
import io.lettuce.core.api.async.RedisAsyncCommands;
import io.lettuce.core.api.sync.RedisCommands;
import io.lettuce.core.codec.ByteArrayCodec;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;

/** The application flow of tests/clients/README.md on Lettuce, with its default settings. */
public final class Flow {
  private static final String NAME = "flow-lettuce";

  private static RedisClient factory;

  private static StatefulRedisConnection<String, String> connect() {
    return factory.connect();
  }

  private static Map<String, String> clientInfo(RedisCommands<String, String> client) {
    return FlowChecks.infoFields(client.clientInfo());
  }

  /** One request of the limiter: the first of a window starts its clock. */
  private static boolean takeSlot(StatefulRedisConnection<String, String> connection) {
    try {
      RedisAsyncCommands<String, String> pipeline = connection.async();
      RedisFuture<Long> count = pipeline.incr(FlowChecks.COUNTER);
      RedisFuture<Boolean> clock = pipeline.expire(
          FlowChecks.COUNTER, FlowChecks.WINDOW_SECONDS, ExpireArgs.Builder.nx());
      clock.get(5, TimeUnit.SECONDS);
      return count.get(5, TimeUnit.SECONDS) <= FlowChecks.ALLOWED;
    } catch (Exception error) {
      throw new IllegalStateException(error);
    }
  }

  private static void rateCounter(RedisCommands<String, String> client) {
    FlowChecks.check("rate_counter_exact", () -> {
      ExecutorService threads = Executors.newFixedThreadPool(8);
      List<Future<Integer>> granted = new ArrayList<>();
      for (int worker = 0; worker < 8; worker++) {
        StatefulRedisConnection<String, String> own = connect();
        granted.add(threads.submit(() -> {
          int mine = 0;
          for (int i = 0; i < 25; i++) {
            mine += takeSlot(own) ? 1 : 0;
          }
          own.close();
          return mine;
        }));
      }
      int total = 0;
      for (Future<Integer> one : granted) {
        total += one.get();
      }
      threads.shutdown();
      FlowChecks.equal(total, FlowChecks.ALLOWED);
      FlowChecks.between(client.ttl(FlowChecks.COUNTER), 0, FlowChecks.WINDOW_SECONDS);
    });
  }

  private static void rateCounterResets(RedisCommands<String, String> client) {
    FlowChecks.check("rate_counter_resets", () -> {
      for (int i = 0; i < 80 && client.exists(FlowChecks.COUNTER) == 1; i++) {
        Thread.sleep(50);
      }
      FlowChecks.equal(client.get(FlowChecks.COUNTER), null);
      FlowChecks.equal(takeSlot(client.getStatefulConnection()), true);
      FlowChecks.equal(client.get(FlowChecks.COUNTER), "1");
    });
  }

  private static void profileCache(RedisCommands<String, String> client) {
    String key = "app:profile:1";
    String profile = "{\"id\": 1, \"name\": \"Ada\"}";
    FlowChecks.check("profile_miss", () -> FlowChecks.equal(client.get(key), null));
    FlowChecks.check("profile_set_with_ttl",
        () -> FlowChecks.equal(client.set(key, profile, SetArgs.Builder.ex(60)), "OK"));
    FlowChecks.check("profile_hit", () -> FlowChecks.equal(client.get(key), profile));
    FlowChecks.check("profile_ttl_in_range", () -> {
      FlowChecks.between(client.ttl(key), 58, 60);
      FlowChecks.between(client.pttl(key), 58001, 60000);
    });
    FlowChecks.check("profile_multi_get", () -> {
      FlowChecks.equal(client.mset(Map.of("app:profile:2", "two", "app:profile:3", "three")), "OK");
      FlowChecks.equal(
          client.mget("app:profile:3", "app:profile:absent", key, "app:profile:2"),
          List.of(KeyValue.just("app:profile:3", "three"), KeyValue.empty("app:profile:absent"),
              KeyValue.just(key, profile), KeyValue.just("app:profile:2", "two")));
    });
    FlowChecks.check("profile_invalidate_del", () -> {
      FlowChecks.equal(client.del(key, "app:profile:absent"), 1L);
      FlowChecks.equal(client.get(key), null);
    });
    FlowChecks.check("profile_invalidate_unlink", () -> {
      FlowChecks.equal(client.unlink("app:profile:2", "app:profile:3"), 2L);
      FlowChecks.equal(client.exists("app:profile:2", "app:profile:3"), 0L);
    });
    FlowChecks.check("value_binary_safe", () -> {
      byte[] name = {'a', 'p', 'p', ':', 0, (byte) 0xff, '\r', '\n'};
      try (StatefulRedisConnection<byte[], byte[]> raw = factory.connect(ByteArrayCodec.INSTANCE)) {
        raw.sync().set(name, FlowChecks.everyByte());
        FlowChecks.equal(Arrays.equals(raw.sync().get(name), FlowChecks.everyByte()), true);
      }
    });
    FlowChecks.check("value_one_megabyte", () -> {
      String value = "larder!\n".repeat(131072);
      FlowChecks.equal(client.set("app:large", value), "OK");
      FlowChecks.equal(client.strlen("app:large"), 1048576L);
      FlowChecks.equal(client.get("app:large"), value);
    });
    FlowChecks.check("key_utf8", () -> {
      String name = "app:schl\u00fcssel:\u9375:\ud83d\udd11";
      client.set(name, "gr\u00fcn");
      FlowChecks.equal(client.get(name), "gr\u00fcn");
      FlowChecks.equal(client.keys("app:schl*"), List.of(name));
    });
  }

  private static void sessionStore(RedisCommands<String, String> client) {
    String key = "app:session:7f";
    SetArgs create = SetArgs.Builder.nx().ex(30);
    FlowChecks.check("session_create",
        () -> FlowChecks.equal(client.set(key, "user=1", create), "OK"));
    FlowChecks.check("session_second_create_refused",
        () -> FlowChecks.equal(client.set(key, "user=2", create), null));
    FlowChecks.check("session_read", () -> FlowChecks.equal(client.get(key), "user=1"));
    FlowChecks.check("session_sliding_expire", () -> {
      FlowChecks.equal(client.expire(key, 100), true);
      FlowChecks.between(client.ttl(key), 98, 100);
    });
    FlowChecks.check("session_sliding_getex", () -> {
      FlowChecks.equal(client.getex(key, GetExArgs.Builder.ex(200)), "user=1");
      FlowChecks.between(client.ttl(key), 198, 200);
    });
    FlowChecks.check("session_expires_after_50_ms", () -> {
      client.set("app:session:short", "x", SetArgs.Builder.px(50));
      Thread.sleep(120);
      FlowChecks.equal(client.get("app:session:short"), null);
      FlowChecks.equal(client.exists("app:session:short"), 0L);
    });
    FlowChecks.check("session_delete", () -> {
      FlowChecks.equal(client.getdel(key), "user=1");
      FlowChecks.equal(client.del(key), 0L);
    });
    FlowChecks.check("ttl_codes", () -> {
      client.set("app:session:forever", "x");
      FlowChecks.equal(client.ttl("app:session:forever"), -1L);
      FlowChecks.equal(client.pttl("app:session:forever"), -1L);
      FlowChecks.equal(client.ttl("app:session:absent"), -2L);
      FlowChecks.equal(client.pttl("app:session:absent"), -2L);
    });
  }

  private static void connectionFacts(RedisCommands<String, String> client) {
    FlowChecks.check("client_name", () -> {
      FlowChecks.equal(client.clientGetname(), NAME);
      FlowChecks.equal(clientInfo(client).get("name"), NAME);
    });
    FlowChecks.check("client_library_name", () -> {
      Map<String, String> fields = clientInfo(client);
      if (FlowChecks.EXPECT_LIBRARY_NAME) {
        FlowChecks.equal(fields.get("lib-name"), "Lettuce");
        FlowChecks.equal(fields.get("lib-ver").startsWith("7."), true);
      }
    });
    FlowChecks.check("pipeline_1000_in_order", () -> {
      RedisAsyncCommands<String, String> pipeline = client.getStatefulConnection().async();
      List<RedisFuture<String>> replies = new ArrayList<>();
      for (int i = 0; i < 500; i++) {
        replies.add(pipeline.set("app:order:" + i, "v" + i));
        replies.add(pipeline.get("app:order:" + i));
      }
      for (int i = 0; i < 500; i++) {
        FlowChecks.equal(replies.get(2 * i).get(5, TimeUnit.SECONDS), "OK");
        FlowChecks.equal(replies.get(2 * i + 1).get(5, TimeUnit.SECONDS), "v" + i);
      }
    });
    FlowChecks.check("error_reply_is_typed", () -> {
      client.set("app:text", "not a number");
      try {
        client.incr("app:text");
        throw new AssertionError("INCR of a text was accepted");
      } catch (RedisCommandExecutionException error) {
        FlowChecks.equal(error.getMessage(), "ERR value is not an integer or out of range");
      }
      FlowChecks.equal(client.get("app:text"), "not a number");
    });
    FlowChecks.check("scan_5000_keys", () -> {
      RedisAsyncCommands<String, String> pipeline = client.getStatefulConnection().async();
      RedisFuture<String> last = null;
      for (int i = 0; i < 5000; i++) {
        last = pipeline.set("app:scan:" + i, "1");
      }
      FlowChecks.equal(last.get(10, TimeUnit.SECONDS), "OK");
      Set<String> seen = new HashSet<>();
      ScanArgs match = ScanArgs.Builder.matches("app:scan:*").limit(250);
      ScanCursor cursor = ScanCursor.INITIAL;
      do {
        KeyScanCursor<String> page = client.scan(cursor, match);
        seen.addAll(page.getKeys());
        cursor = page;
      } while (!cursor.isFinished());
      FlowChecks.equal(seen.size(), 5000);
    });
    FlowChecks.check("reconnect_after_kill", () -> {
      try (StatefulRedisConnection<String, String> connection = connect()) {
        RedisCommands<String, String> single = connection.sync();
        long id = single.clientId();
        FlowChecks.equal(client.clientKill(KillArgs.Builder.id(id)), 1L);
        FlowChecks.equal(FlowChecks.retry(() -> single.get("app:text")), "not a number");
        FlowChecks.equal(single.clientId() == id, false);
        FlowChecks.equal(single.clientGetname(), NAME);
      }
    });
  }

  public static void main(String[] args) {
    factory = RedisClient.create(RedisURI.builder()
        .withHost(FlowChecks.HOST).withPort(FlowChecks.PORT).withClientName(NAME).build());
    RedisCommands<String, String> client = connect().sync();
    FlowChecks.check("connect_protocol", () -> {
      FlowChecks.equal(client.ping(), "PONG");
      FlowChecks.equal(clientInfo(client).get("resp"), FlowChecks.EXPECT_RESP);
    });
    // The limiter first: its window runs out while the other checks are at work.
    rateCounter(client);
    profileCache(client);
    sessionStore(client);
    connectionFacts(client);
    rateCounterResets(client);
    factory.shutdown(0, 2, TimeUnit.SECONDS);
    FlowChecks.finish();
  }
}
