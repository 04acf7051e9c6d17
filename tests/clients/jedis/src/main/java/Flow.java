import static java.nio.charset.StandardCharsets.UTF_8;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.apache.commons.pool2.impl.GenericObjectPoolConfig;
import redis.clients.jedis.Connection;
import redis.clients.jedis.DefaultJedisClientConfig;
import redis.clients.jedis.Pipeline;
import redis.clients.jedis.Protocol.Command;
import redis.clients.jedis.RedisClient;
import redis.clients.jedis.Response;
import redis.clients.jedis.args.ExpiryOption;
import redis.clients.jedis.exceptions.JedisDataException;
import redis.clients.jedis.params.GetExParams;
import redis.clients.jedis.params.ScanParams;
import redis.clients.jedis.params.SetParams;
import redis.clients.jedis.resps.ScanResult;

/** The application flow of tests/clients/README.md on Jedis, with its default settings. */
public final class Flow {
  private static final String NAME = "flow-jedis";

  private static RedisClient connect(int connections) {
    GenericObjectPoolConfig<Connection> pool = new GenericObjectPoolConfig<>();
    pool.setMaxTotal(connections);
    return RedisClient.builder()
        .hostAndPort(FlowChecks.HOST, FlowChecks.PORT)
        .clientConfig(DefaultJedisClientConfig.builder().clientName(NAME).build())
        .poolConfig(pool)
        .build();
  }

  private static String text(Object reply) {
    return reply == null ? null : new String((byte[]) reply, UTF_8);
  }

  private static Map<String, String> clientInfo(RedisClient client) {
    return FlowChecks.infoFields(text(client.sendCommand(Command.CLIENT, "INFO")));
  }

  /** One request of the limiter: the first of a window starts its clock. */
  private static boolean takeSlot(RedisClient client) {
    try (Pipeline pipeline = client.pipelined()) {
      Response<Long> count = pipeline.incr(FlowChecks.COUNTER);
      Response<Long> clock =
          pipeline.expire(FlowChecks.COUNTER, FlowChecks.WINDOW_SECONDS, ExpiryOption.NX);
      pipeline.sync();
      clock.get();
      return count.get() <= FlowChecks.ALLOWED;
    }
  }

  private static void rateCounter(RedisClient client) {
    FlowChecks.check("rate_counter_exact", () -> {
      ExecutorService threads = Executors.newFixedThreadPool(8);
      List<Future<Integer>> granted = new ArrayList<>();
      for (int worker = 0; worker < 8; worker++) {
        granted.add(threads.submit(() -> {
          int mine = 0;
          for (int i = 0; i < 25; i++) {
            mine += takeSlot(client) ? 1 : 0;
          }
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

  private static void rateCounterResets(RedisClient client) {
    FlowChecks.check("rate_counter_resets", () -> {
      for (int i = 0; i < 80 && client.exists(FlowChecks.COUNTER); i++) {
        Thread.sleep(50);
      }
      FlowChecks.equal(client.get(FlowChecks.COUNTER), null);
      FlowChecks.equal(takeSlot(client), true);
      FlowChecks.equal(client.get(FlowChecks.COUNTER), "1");
    });
  }

  private static void profileCache(RedisClient client) {
    String key = "app:profile:1";
    String profile = "{\"id\": 1, \"name\": \"Ada\"}";
    FlowChecks.check("profile_miss", () -> FlowChecks.equal(client.get(key), null));
    FlowChecks.check("profile_set_with_ttl",
        () -> FlowChecks.equal(client.set(key, profile, SetParams.setParams().ex(60)), "OK"));
    FlowChecks.check("profile_hit", () -> FlowChecks.equal(client.get(key), profile));
    FlowChecks.check("profile_ttl_in_range", () -> {
      FlowChecks.between(client.ttl(key), 58, 60);
      FlowChecks.between(client.pttl(key), 58001, 60000);
    });
    FlowChecks.check("profile_multi_get", () -> {
      FlowChecks.equal(client.mset("app:profile:2", "two", "app:profile:3", "three"), "OK");
      FlowChecks.equal(
          client.mget("app:profile:3", "app:profile:absent", key, "app:profile:2"),
          Arrays.asList("three", null, profile, "two"));
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
      client.set(name, FlowChecks.everyByte());
      FlowChecks.equal(Arrays.equals(client.get(name), FlowChecks.everyByte()), true);
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
      FlowChecks.equal(client.keys("app:schl*"), Set.of(name));
    });
  }

  private static void sessionStore(RedisClient client) {
    String key = "app:session:7f";
    SetParams create = SetParams.setParams().nx().ex(30);
    FlowChecks.check("session_create",
        () -> FlowChecks.equal(client.set(key, "user=1", create), "OK"));
    FlowChecks.check("session_second_create_refused",
        () -> FlowChecks.equal(client.set(key, "user=2", create), null));
    FlowChecks.check("session_read", () -> FlowChecks.equal(client.get(key), "user=1"));
    FlowChecks.check("session_sliding_expire", () -> {
      FlowChecks.equal(client.expire(key, 100), 1L);
      FlowChecks.between(client.ttl(key), 98, 100);
    });
    FlowChecks.check("session_sliding_getex", () -> {
      FlowChecks.equal(client.getEx(key, GetExParams.getExParams().ex(200)), "user=1");
      FlowChecks.between(client.ttl(key), 198, 200);
    });
    FlowChecks.check("session_expires_after_50_ms", () -> {
      client.set("app:session:short", "x", SetParams.setParams().px(50));
      Thread.sleep(120);
      FlowChecks.equal(client.get("app:session:short"), null);
      FlowChecks.equal(client.exists("app:session:short"), false);
    });
    FlowChecks.check("session_delete", () -> {
      FlowChecks.equal(client.getDel(key), "user=1");
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

  private static void connectionFacts(RedisClient client) {
    FlowChecks.check("client_name", () -> {
      FlowChecks.equal(text(client.sendCommand(Command.CLIENT, "GETNAME")), NAME);
      FlowChecks.equal(clientInfo(client).get("name"), NAME);
    });
    FlowChecks.check("client_library_name", () -> {
      Map<String, String> fields = clientInfo(client);
      if (FlowChecks.EXPECT_LIBRARY_NAME) {
        FlowChecks.equal(fields.get("lib-name"), "jedis");
        FlowChecks.equal(fields.get("lib-ver").startsWith("8."), true);
      }
    });
    FlowChecks.check("pipeline_1000_in_order", () -> {
      try (Pipeline pipeline = client.pipelined()) {
        for (int i = 0; i < 500; i++) {
          pipeline.set("app:order:" + i, "v" + i);
          pipeline.get("app:order:" + i);
        }
        List<Object> replies = pipeline.syncAndReturnAll();
        FlowChecks.equal(replies.size(), 1000);
        for (int i = 0; i < 500; i++) {
          FlowChecks.equal(replies.get(2 * i), "OK");
          FlowChecks.equal(replies.get(2 * i + 1), "v" + i);
        }
      }
    });
    FlowChecks.check("error_reply_is_typed", () -> {
      client.set("app:text", "not a number");
      try {
        client.incr("app:text");
        throw new AssertionError("INCR of a text was accepted");
      } catch (JedisDataException error) {
        FlowChecks.equal(error.getMessage(), "ERR value is not an integer or out of range");
      }
      FlowChecks.equal(client.get("app:text"), "not a number");
    });
    FlowChecks.check("scan_5000_keys", () -> {
      try (Pipeline pipeline = client.pipelined()) {
        for (int i = 0; i < 5000; i++) {
          pipeline.set("app:scan:" + i, "1");
        }
        pipeline.sync();
      }
      Set<String> seen = new HashSet<>();
      ScanParams match = new ScanParams().match("app:scan:*").count(250);
      String cursor = ScanParams.SCAN_POINTER_START;
      do {
        ScanResult<String> page = client.scan(cursor, match);
        seen.addAll(page.getResult());
        cursor = page.getCursor();
      } while (!cursor.equals(ScanParams.SCAN_POINTER_START));
      FlowChecks.equal(seen.size(), 5000);
    });
    FlowChecks.check("reconnect_after_kill", () -> {
      try (RedisClient single = connect(1)) {
        Object id = single.sendCommand(Command.CLIENT, "ID");
        FlowChecks.equal(client.sendCommand(Command.CLIENT, "KILL", "ID", id.toString()), 1L);
        FlowChecks.equal(FlowChecks.retry(() -> single.get("app:text")), "not a number");
        FlowChecks.equal(single.sendCommand(Command.CLIENT, "ID").equals(id), false);
        FlowChecks.equal(text(single.sendCommand(Command.CLIENT, "GETNAME")), NAME);
      }
    });
  }

  public static void main(String[] args) {
    RedisClient client = connect(8);
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
    client.close();
    FlowChecks.finish();
  }
}
