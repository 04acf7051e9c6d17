import io.github.bucket4j.BucketConfiguration;
import io.github.bucket4j.ConsumptionProbe;
import io.github.bucket4j.distributed.BucketProxy;
import io.github.bucket4j.redis.lettuce.Bucket4jLettuce;
import io.lettuce.core.RedisClient;
import java.lang.ProcessBuilder.Redirect;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.redisson.Redisson;
import org.redisson.api.RLock;
import org.redisson.api.RPermitExpirableSemaphore;
import org.redisson.api.RRateLimiter;
import org.redisson.api.RateType;
import org.redisson.api.RedissonClient;
import org.redisson.config.Config;

/**
 * Libraries whose work is done by scripts: Redisson's locks, rate limiter and semaphore, and Bucket4j on Lettuce. Started
 * with the word "holder", it is a process that takes a lock and tokens, and is killed by the other one.
 */
public final class Flow {
  private static final String URL = "redis://" + FlowChecks.HOST + ":" + FlowChecks.PORT;

  private static final int WATCHDOG_MS = 1500;

  private static RedissonClient connect() {
    Config config = new Config();
    config.setLockWatchdogTimeout(WATCHDOG_MS);
    config.useSingleServer().setAddress(URL).setConnectionMinimumIdleSize(2).setConnectionPoolSize(16)
        .setSubscriptionConnectionMinimumIdleSize(1);
    return Redisson.create(config);
  }

  private static <T> List<T> inParallel(int threads, Callable<T> work) throws Exception {
    ExecutorService pool = Executors.newFixedThreadPool(threads);
    try {
      List<Future<T>> running = new ArrayList<>();
      for (int i = 0; i < threads; i++) {
        running.add(pool.submit(work));
      }
      List<T> results = new ArrayList<>();
      for (Future<T> each : running) {
        results.add(each.get(20, TimeUnit.SECONDS));
      }
      return results;
    } finally {
      pool.shutdownNow();
    }
  }

  private static void locks(RedissonClient one, RedissonClient other) {
    FlowChecks.check("redisson_lock_excludes", () -> {
      AtomicInteger inside = new AtomicInteger();
      AtomicInteger most = new AtomicInteger();
      AtomicInteger turn = new AtomicInteger();
      inParallel(8, () -> {
        RLock lock = (turn.getAndIncrement() % 2 == 0 ? one : other).getLock("app:lock");
        lock.lock();
        lock.lock(); // a second time by its holder
        most.accumulateAndGet(inside.incrementAndGet(), Math::max);
        Thread.sleep(3);
        inside.decrementAndGet();
        lock.unlock();
        lock.unlock();
        return true;
      });
      FlowChecks.equal(most.get(), 1);
      FlowChecks.equal(one.getLock("app:lock").isLocked(), false);
    });
    FlowChecks.check("redisson_lock_expires", () -> {
      FlowChecks.equal(one.getLock("app:lock:2").tryLock(0, 200, TimeUnit.MILLISECONDS), true);
      RLock second = other.getLock("app:lock:2");
      FlowChecks.equal(second.tryLock(0, 1, TimeUnit.SECONDS), false);
      FlowChecks.equal(second.tryLock(5, 5, TimeUnit.SECONDS), true);
      second.unlock();
    });
  }

  private static void limits(RedissonClient one, RedissonClient other) {
    FlowChecks.check("redisson_rate_limiter", () -> {
      one.getRateLimiter("app:rate").trySetRate(RateType.OVERALL, 5, Duration.ofSeconds(1));
      int allowed = 0;
      for (RedissonClient client : List.of(one, other)) {
        for (int i = 0; i < 5; i++) {
          allowed += client.getRateLimiter("app:rate").tryAcquire() ? 1 : 0;
        }
      }
      FlowChecks.between(allowed, 5, 10); // more when a second has ended meanwhile
      RRateLimiter limiter = other.getRateLimiter("app:rate");
      FlowChecks.equal(limiter.tryAcquire(1, Duration.ofSeconds(10)), true);
    });
    FlowChecks.check("redisson_semaphore", () -> {
      RPermitExpirableSemaphore semaphore = one.getPermitExpirableSemaphore("app:permits");
      semaphore.trySetPermits(2);
      String first = semaphore.acquire();
      String second = semaphore.tryAcquire(0, 200, TimeUnit.MILLISECONDS);
      FlowChecks.equal(other.getPermitExpirableSemaphore("app:permits").tryAcquire(), null);
      String third = other.getPermitExpirableSemaphore("app:permits").tryAcquire(10, TimeUnit.SECONDS);
      FlowChecks.equal(third != null && !third.equals(second), true);
      semaphore.release(first);
      FlowChecks.equal(semaphore.tryRelease(second), false);
    });
  }

  private static BucketProxy bucket(RedisClient client, String key) {
    BucketConfiguration rule = BucketConfiguration.builder()
        .addLimit(limit -> limit.capacity(50).refillIntervally(50, Duration.ofMinutes(1))).build();
    return Bucket4jLettuce.casBasedBuilder(client).build().builder()
        .build(key.getBytes(StandardCharsets.UTF_8), () -> rule);
  }

  private static void buckets(RedisClient client) {
    FlowChecks.check("bucket4j_counts_exactly", () -> {
      BucketProxy bucket = bucket(client, "app:bucket");
      int allowed = 0;
      List<Integer> counts = inParallel(8, () -> {
        int mine = 0;
        for (int i = 0; i < 10; i++) {
          mine += bucket.tryConsume(1) ? 1 : 0;
        }
        return mine;
      });
      for (int count : counts) {
        allowed += count;
      }
      FlowChecks.equal(allowed, 50);
      ConsumptionProbe refused = bucket.tryConsumeAndReturnRemaining(1);
      FlowChecks.equal(refused.isConsumed(), false);
      FlowChecks.between(refused.getNanosToWaitForRefill(), 1, 60_000_000_000L);
      bucket.addTokens(3);
      FlowChecks.equal(bucket.tryConsume(3), true);
    });
  }

  /** The process that is killed: it holds a lock without an end of its own, which only its watchdog keeps. */
  private static void hold() throws InterruptedException {
    connect().getLock("app:lock:3").lock();
    bucket(RedisClient.create(URL), "app:bucket:2").tryConsume(40);
    System.out.println("took");
    Thread.sleep(60_000);
  }

  private static void killedHolder(RedissonClient one, RedisClient client) throws Exception {
    String java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
    Process holder = new ProcessBuilder(java, "-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp",
        System.getProperty("java.class.path"), "Flow", "holder").redirectError(Redirect.DISCARD).start();
    FlowChecks.equal(holder.inputReader().readLine(), "took");
    RLock lock = one.getLock("app:lock:3");
    FlowChecks.check("redisson_watchdog_renews", () -> {
      for (int i = 0; i < 10; i++) {
        Thread.sleep(WATCHDOG_MS / 5);
        FlowChecks.equal(lock.isLocked(), true);
        FlowChecks.between(lock.remainTimeToLive(), 1, WATCHDOG_MS);
      }
    });
    holder.destroyForcibly();
    holder.waitFor();
    FlowChecks.check("redisson_lock_of_a_killed_process_runs_out", () -> {
      FlowChecks.equal(lock.tryLock(), false);
      long began = System.nanoTime();
      FlowChecks.equal(lock.tryLock(10, TimeUnit.SECONDS), true);
      FlowChecks.between((System.nanoTime() - began) / 1_000_000, 0, 2L * WATCHDOG_MS);
      lock.unlock();
    });
    FlowChecks.check("bucket4j_outlives_a_killed_process", () -> {
      FlowChecks.equal(bucket(client, "app:bucket:2").tryConsume(11), false);
      FlowChecks.equal(bucket(client, "app:bucket:2").tryConsume(10), true);
    });
  }

  public static void main(String[] args) throws Exception {
    if (args.length > 0) {
      hold();
      return;
    }
    RedissonClient one = connect();
    RedissonClient other = connect();
    locks(one, other);
    limits(one, other);
    RedisClient client = RedisClient.create(URL);
    buckets(client);
    killedHolder(one, client);
    one.shutdown();
    other.shutdown();
    client.shutdown();
    FlowChecks.finish();
  }
}
