// Libraries whose work is done by scripts, and the middleware of docs/examples/nethttp: rate limits, locks, and tasks
// whose worker is killed in the middle. Started with a word, the program is what is killed: it prints a line when it has
// what there is to take, and then never ends by itself.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-redis/redis_rate/v10"
	"github.com/go-redsync/redsync/v4"
	"github.com/go-redsync/redsync/v4/redis/goredis/v9"
	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
	"larder.invalid/tests/clients/libs/go/ratelimit"
)

func connect(protocol int) *redis.Client {
	return redis.NewClient(&redis.Options{Addr: address, Protocol: protocol})
}

func httpExample() {
	for _, protocol := range []int{2, 3} {
		client := connect(protocol)
		must(client.FlushAll(ctx).Err())
		limits := func(r *http.Request) []ratelimit.Limit {
			return []ratelimit.Limit{
				{Key: "limit:path:" + r.URL.Path, Rule: []any{"GCRA", 2, 60000}},
				{Key: "limit:all", Rule: []any{"FIXED", 3, 60000}},
			}
		}
		served := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "served") })
		server := httptest.NewServer(ratelimit.Middleware(client, limits, served))
		get := func(path string) *http.Response {
			response, err := http.Get(server.URL + path)
			must(err)
			_, err = io.ReadAll(response.Body)
			must(err)
			must(response.Body.Close())
			return response
		}
		check("nethttp_example_limits", func() {
			for _, remaining := range []string{"1", "0"} {
				response := get("/a")
				equal(response.StatusCode, 200)
				equal(response.Header.Get("RateLimit-Limit"), "2")
				equal(response.Header.Get("RateLimit-Remaining"), remaining)
			}
		})
		check("nethttp_example_refuses_with_headers", func() {
			response := get("/a")
			equal(response.StatusCode, 429)
			wait, err := strconv.Atoi(response.Header.Get("Retry-After"))
			must(err)
			equal(wait >= 28 && wait <= 30, true)
			equal([]int{get("/b").StatusCode, get("/b").StatusCode}, []int{200, 429})
		})
		server.Close()
		must(client.Close())
	}
}

func redisRate(client *redis.Client) {
	check("redis_rate_allows_and_refuses", func() {
		limiter := redis_rate.NewLimiter(client)
		limit := redis_rate.Limit{Rate: 10, Burst: 5, Period: time.Second}
		allowed := 0
		for i := 0; i < 5; i++ {
			result, err := limiter.Allow(ctx, "me", limit)
			must(err)
			allowed += result.Allowed
		}
		equal(allowed, 5)
		var refused *redis_rate.Result
		waitUntil(func() bool {
			result, err := limiter.Allow(ctx, "me", limit)
			must(err)
			refused = result
			return result.Allowed == 0
		}, "a refusal")
		equal(refused.RetryAfter > 0 && refused.RetryAfter <= 100*time.Millisecond, true)
		time.Sleep(refused.RetryAfter)
		result, err := limiter.AllowAtMost(ctx, "me", limit, 50)
		must(err)
		equal(result.Allowed >= 1 && result.Allowed <= 5, true)
		must(limiter.Reset(ctx, "me"))
		result, err = limiter.AllowN(ctx, "me", limit, 5)
		must(err)
		equal(result.Allowed, 5)
	})
}

func locks(client *redis.Client) {
	locker := redsync.New(goredis.NewPool(client))
	check("redsync_excludes", func() {
		var inside, most, total int64
		var workers sync.WaitGroup
		for i := 0; i < 8; i++ {
			workers.Add(1)
			go func() {
				defer workers.Done()
				mutex := locker.NewMutex("app:mutex", redsync.WithTries(500), redsync.WithRetryDelay(5*time.Millisecond))
				if mutex.Lock() != nil {
					return
				}
				if now := atomic.AddInt64(&inside, 1); now > atomic.LoadInt64(&most) {
					atomic.StoreInt64(&most, now)
				}
				time.Sleep(2 * time.Millisecond)
				atomic.AddInt64(&inside, -1)
				atomic.AddInt64(&total, 1)
				_, _ = mutex.Unlock()
			}()
		}
		workers.Wait()
		equal([]int64{most, total}, []int64{1, 8})
	})
	check("redsync_extends_and_expires", func() {
		once := func() *redsync.Mutex {
			return locker.NewMutex("app:mutex:2", redsync.WithTries(1), redsync.WithExpiry(200*time.Millisecond))
		}
		first, second := once(), once()
		must(first.Lock())
		extended, err := first.Extend()
		must(err)
		equal(extended, true)
		equal(second.Lock() != nil, true)
		waitUntil(func() bool { return second.Lock() == nil }, "the end of the lock")
		unlocked, _ := first.Unlock()
		equal(unlocked, false)
		unlocked, err = second.Unlock()
		must(err)
		equal(unlocked, true)
	})
}

const dieOn = "die"

// killed starts this program in that role, and kills it when it has said that it took what there is to take.
func killed(role string) {
	command := exec.Command(os.Args[0], role)
	output, err := command.StdoutPipe()
	must(err)
	must(command.Start())
	line, err := bufio.NewReader(output).ReadString('\n')
	must(err)
	equal(line, "took\n")
	must(command.Process.Kill())
	equal(command.Wait() != nil, true)
}

func took() {
	fmt.Println("took")
	select {}
}

var survivingLimit = redis_rate.Limit{Rate: 5, Burst: 5, Period: time.Hour}

// holder has a lock and has used up most of a limit.
func holder() {
	client := connect(3)
	must(redsync.New(goredis.NewPool(client)).NewMutex("app:mutex:3", redsync.WithExpiry(time.Second)).Lock())
	_, err := redis_rate.NewLimiter(client).AllowN(ctx, "survivor", survivingLimit, 4)
	must(err)
	took()
}

func survivors(client *redis.Client) {
	killed("holder")
	check("redsync_of_a_killed_process_runs_out", func() {
		mutex := redsync.New(goredis.NewPool(client)).NewMutex("app:mutex:3", redsync.WithTries(1))
		equal(mutex.Lock() != nil, true)
		began := time.Now()
		waitUntil(func() bool { return mutex.Lock() == nil }, "the end of the lock")
		equal(time.Since(began) < 2*time.Second, true)
		_, err := mutex.Unlock()
		must(err)
	})
	check("redis_rate_outlives_a_killed_process", func() {
		for _, allowed := range []int{1, 0} {
			result, err := redis_rate.NewLimiter(client).Allow(ctx, "survivor", survivingLimit)
			must(err)
			equal(result.Allowed, allowed)
		}
	})
}

func asynqServer() *asynq.Server {
	return asynq.NewServer(asynq.RedisClientOpt{Addr: address}, asynq.Config{
		Concurrency: 4, LogLevel: asynq.FatalLevel, DelayedTaskCheckInterval: 50 * time.Millisecond,
		RetryDelayFunc: func(int, error, *asynq.Task) time.Duration { return 10 * time.Millisecond },
	})
}

// worker takes the task "die" and never ends it.
func worker() {
	mux := asynq.NewServeMux()
	mux.HandleFunc(dieOn, func(context.Context, *asynq.Task) error {
		took()
		return nil
	})
	must(asynqServer().Run(mux))
}

func tasks(client *redis.Client) {
	queue := asynq.NewClient(asynq.RedisClientOpt{Addr: address})
	inspector := asynq.NewInspector(asynq.RedisClientOpt{Addr: address})
	enqueue := func(name string, options ...asynq.Option) *asynq.TaskInfo {
		info, err := queue.Enqueue(asynq.NewTask(name, nil), options...)
		must(err)
		return info
	}
	// The worker's lease is made old by hand: waiting for its end takes half a minute.
	died := enqueue(dieOn, asynq.Retention(time.Minute))
	killed("worker")
	moved, err := client.ZAdd(ctx, "asynq:{default}:lease", redis.Z{Score: float64(time.Now().Unix() - 60), Member: died.ID}).Result()
	must(err)

	var done, failures int64
	mux := asynq.NewServeMux()
	mux.HandleFunc("count", func(context.Context, *asynq.Task) error {
		atomic.AddInt64(&done, 1)
		return nil
	})
	mux.HandleFunc("fails", func(context.Context, *asynq.Task) error {
		if atomic.AddInt64(&failures, 1) < 3 {
			return errors.New("on purpose")
		}
		return nil
	})
	mux.HandleFunc(dieOn, func(context.Context, *asynq.Task) error { return nil })
	server := asynqServer()
	must(server.Start(mux))
	check("asynq_runs_tasks", func() {
		for i := 0; i < 20; i++ {
			enqueue("count")
		}
		waitUntil(func() bool { return atomic.LoadInt64(&done) == 20 }, "20 tasks")
		enqueue("count", asynq.TaskID("one"), asynq.Retention(time.Minute))
		_, err := queue.Enqueue(asynq.NewTask("count", nil), asynq.TaskID("one"))
		equal(errors.Is(err, asynq.ErrTaskIDConflict), true)
		waitUntil(func() bool { return atomic.LoadInt64(&done) == 21 }, "the task with a name")
	})
	check("asynq_retries_and_schedules", func() {
		began := time.Now()
		enqueue("fails", asynq.MaxRetry(5))
		enqueue("count", asynq.ProcessIn(time.Second))
		waitUntil(func() bool { return atomic.LoadInt64(&failures) == 3 }, "the third try")
		waitUntil(func() bool { return atomic.LoadInt64(&done) == 22 }, "the task of later")
		equal(time.Since(began) > 500*time.Millisecond, true)
	})
	check("asynq_recovers_a_killed_worker", func() {
		equal(moved, int64(0)) // the lease was there already
		waitUntil(func() bool {
			info, err := inspector.GetTaskInfo("default", died.ID)
			return err == nil && info.State == asynq.TaskStateCompleted
		}, "the task of the killed worker")
	})
	server.Shutdown()
	must(queue.Close())
	must(inspector.Close())
}

func main() {
	if len(os.Args) > 1 {
		map[string]func(){"worker": worker, "holder": holder}[os.Args[1]]()
		return
	}
	httpExample()
	client := connect(3)
	redisRate(client)
	locks(client)
	survivors(client)
	tasks(client)
	must(client.Close())
	finish()
}
