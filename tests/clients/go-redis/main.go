// The application flow of tests/clients/README.md on go-redis, with its default
// settings (which open with HELLO 3).
package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	clientName    = "flow-go-redis"
	allowed       = 100
	windowSeconds = 2
	counter       = "app:rate:client-9"
)

func between(seen, low, high time.Duration) {
	if seen < low || seen > high {
		panic(fmt.Sprintf("%v is not within %v..%v", seen, low, high))
	}
}

func isNil(err error) {
	if !errors.Is(err, redis.Nil) {
		panic(fmt.Sprintf("expected redis.Nil, got %v", err))
	}
}

func connect(poolSize int) *redis.Client {
	return redis.NewClient(&redis.Options{Addr: address, ClientName: clientName, PoolSize: poolSize})
}

// infoFields splits the name=value fields of CLIENT INFO.
func infoFields(client *redis.Client) map[string]string {
	line, err := client.Do(ctx, "CLIENT", "INFO").Text()
	must(err)
	fields := map[string]string{}
	for _, word := range strings.Fields(line) {
		if at := strings.IndexByte(word, '='); at > 0 {
			fields[word[:at]] = word[at+1:]
		}
	}
	return fields
}

// takeSlot is one request of the limiter: the first of a window starts its clock.
func takeSlot(client *redis.Client) bool {
	pipe := client.Pipeline()
	count := pipe.Incr(ctx, counter)
	pipe.ExpireNX(ctx, counter, windowSeconds*time.Second)
	_, err := pipe.Exec(ctx)
	must(err)
	return count.Val() <= allowed
}

func rateCounter(client *redis.Client) {
	check("rate_counter_exact", func() {
		var granted, asked int64
		var workers sync.WaitGroup
		for w := 0; w < 8; w++ {
			workers.Add(1)
			go func() {
				defer workers.Done()
				defer func() { recover() }() // a lost answer shows in the count below
				for i := 0; i < 25; i++ {
					if takeSlot(client) {
						atomic.AddInt64(&granted, 1)
					}
					atomic.AddInt64(&asked, 1)
				}
			}()
		}
		workers.Wait()
		equal(asked, int64(200))
		equal(granted, int64(allowed))
		between(client.PTTL(ctx, counter).Val(), 0, windowSeconds*time.Second)
	})
}

func rateCounterResets(client *redis.Client) {
	check("rate_counter_resets", func() {
		for i := 0; i < 80 && client.Exists(ctx, counter).Val() == 1; i++ {
			time.Sleep(50 * time.Millisecond)
		}
		isNil(client.Get(ctx, counter).Err())
		equal(takeSlot(client), true)
		equal(client.Get(ctx, counter).Val(), "1")
	})
}

func profileCache(client *redis.Client) {
	key := "app:profile:1"
	profile := `{"id": 1, "name": "Ada"}`
	check("profile_miss", func() { isNil(client.Get(ctx, key).Err()) })
	check("profile_set_with_ttl", func() {
		equal(client.Set(ctx, key, profile, time.Minute).Val(), "OK")
	})
	check("profile_hit", func() { equal(client.Get(ctx, key).Val(), profile) })
	check("profile_ttl_in_range", func() {
		between(client.TTL(ctx, key).Val(), 58*time.Second, time.Minute)
		between(client.PTTL(ctx, key).Val(), 58001*time.Millisecond, time.Minute)
	})
	check("profile_multi_get", func() {
		must(client.MSet(ctx, "app:profile:2", "two", "app:profile:3", "three").Err())
		seen, err := client.MGet(ctx, "app:profile:3", "app:profile:absent", key, "app:profile:2").Result()
		must(err)
		equal(seen, []interface{}{"three", nil, profile, "two"})
	})
	check("profile_invalidate_del", func() {
		equal(client.Del(ctx, key, "app:profile:absent").Val(), int64(1))
		isNil(client.Get(ctx, key).Err())
	})
	check("profile_invalidate_unlink", func() {
		equal(client.Unlink(ctx, "app:profile:2", "app:profile:3").Val(), int64(2))
		equal(client.Exists(ctx, "app:profile:2", "app:profile:3").Val(), int64(0))
	})
	check("value_binary_safe", func() {
		value := make([]byte, 1024)
		for i := range value {
			value[i] = byte(i * 7)
		}
		must(client.Set(ctx, "app:\x00binary\xff", value, 0).Err())
		seen, err := client.Get(ctx, "app:\x00binary\xff").Bytes()
		must(err)
		equal(bytes.Equal(seen, value), true)
	})
	check("value_one_megabyte", func() {
		value := strings.Repeat("larder!\n", 131072)
		equal(client.Set(ctx, "app:large", value, 0).Val(), "OK")
		equal(client.StrLen(ctx, "app:large").Val(), int64(1048576))
		equal(client.Get(ctx, "app:large").Val() == value, true)
	})
	check("key_utf8", func() {
		name := "app:schlüssel:鍵:🔑"
		must(client.Set(ctx, name, "grün", 0).Err())
		equal(client.Get(ctx, name).Val(), "grün")
		equal(client.Keys(ctx, "app:schl*").Val(), []string{name})
	})
}

func sessionStore(client *redis.Client) {
	key := "app:session:7f"
	check("session_create", func() {
		equal(client.SetNX(ctx, key, "user=1", 30*time.Second).Val(), true)
	})
	check("session_second_create_refused", func() {
		seen, err := client.SetNX(ctx, key, "user=2", 30*time.Second).Result()
		must(err)
		equal(seen, false)
	})
	check("session_read", func() { equal(client.Get(ctx, key).Val(), "user=1") })
	check("session_sliding_expire", func() {
		equal(client.Expire(ctx, key, 100*time.Second).Val(), true)
		between(client.TTL(ctx, key).Val(), 98*time.Second, 100*time.Second)
	})
	check("session_sliding_getex", func() {
		equal(client.GetEx(ctx, key, 200*time.Second).Val(), "user=1")
		between(client.TTL(ctx, key).Val(), 198*time.Second, 200*time.Second)
	})
	check("session_expires_after_50_ms", func() {
		must(client.Set(ctx, "app:session:short", "x", 50*time.Millisecond).Err())
		time.Sleep(120 * time.Millisecond)
		isNil(client.Get(ctx, "app:session:short").Err())
		equal(client.Exists(ctx, "app:session:short").Val(), int64(0))
	})
	check("session_delete", func() {
		equal(client.GetDel(ctx, key).Val(), "user=1")
		equal(client.Del(ctx, key).Val(), int64(0))
	})
	check("ttl_codes", func() {
		must(client.Set(ctx, "app:session:forever", "x", 0).Err())
		equal(client.TTL(ctx, "app:session:forever").Val(), time.Duration(-1))
		equal(client.PTTL(ctx, "app:session:forever").Val(), time.Duration(-1))
		equal(client.TTL(ctx, "app:session:absent").Val(), time.Duration(-2))
		equal(client.PTTL(ctx, "app:session:absent").Val(), time.Duration(-2))
	})
}

func connectionFacts(client *redis.Client) {
	check("client_name", func() {
		equal(client.ClientGetName(ctx).Val(), clientName)
		equal(infoFields(client)["name"], clientName)
	})
	check("client_library_name", func() {
		fields := infoFields(client)
		if os.Getenv("LARDER_EXPECT_LIBRARY_NAME") == "1" {
			equal(strings.HasPrefix(fields["lib-name"], "go-redis"), true)
			equal(fields["lib-ver"], redis.Version())
		}
	})
	check("pipeline_1000_in_order", func() {
		pipe := client.Pipeline()
		for i := 0; i < 500; i++ {
			pipe.Set(ctx, fmt.Sprintf("app:order:%d", i), fmt.Sprintf("v%d", i), 0)
			pipe.Get(ctx, fmt.Sprintf("app:order:%d", i))
		}
		replies, err := pipe.Exec(ctx)
		must(err)
		equal(len(replies), 1000)
		for i := 0; i < 500; i++ {
			equal(replies[2*i].(*redis.StatusCmd).Val(), "OK")
			equal(replies[2*i+1].(*redis.StringCmd).Val(), fmt.Sprintf("v%d", i))
		}
	})
	check("error_reply_is_typed", func() {
		must(client.Set(ctx, "app:text", "not a number", 0).Err())
		err := client.Incr(ctx, "app:text").Err()
		var reply redis.Error
		equal(errors.As(err, &reply), true)
		equal(err.Error(), "ERR value is not an integer or out of range")
		equal(client.Get(ctx, "app:text").Val(), "not a number")
	})
	check("scan_5000_keys", func() {
		pipe := client.Pipeline()
		for i := 0; i < 5000; i++ {
			pipe.Set(ctx, fmt.Sprintf("app:scan:%d", i), "1", 0)
		}
		_, err := pipe.Exec(ctx)
		must(err)
		seen := map[string]bool{}
		iterator := client.Scan(ctx, 0, "app:scan:*", 250).Iterator()
		for iterator.Next(ctx) {
			seen[iterator.Val()] = true
		}
		must(iterator.Err())
		equal(len(seen), 5000)
	})
	check("reconnect_after_kill", func() {
		single := connect(1)
		defer single.Close()
		id, err := single.ClientID(ctx).Result()
		must(err)
		equal(client.ClientKillByFilter(ctx, "ID", fmt.Sprint(id)).Val(), int64(1))
		equal(single.Get(ctx, "app:text").Val(), "not a number")
		newID, err := single.ClientID(ctx).Result()
		must(err)
		equal(newID != id, true)
		equal(single.ClientGetName(ctx).Val(), clientName)
	})
}

func main() {
	client := connect(8)
	check("connect_protocol", func() {
		equal(client.Ping(ctx).Val(), "PONG")
		equal(infoFields(client)["resp"], os.Getenv("LARDER_EXPECT_RESP"))
	})
	// The limiter first: its window runs out while the other checks are at work.
	rateCounter(client)
	profileCache(client)
	sessionStore(client)
	connectionFacts(client)
	rateCounterResets(client)
	must(client.Close())
	finish()
}
