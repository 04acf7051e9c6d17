// What applications in Go build on the server: optimistic locking with WATCH in a
// retry loop, channels of pub/sub that survive a reconnect, blocking pops, and
// keyspace events.
package main

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

func connect() *redis.Client {
	return redis.NewClient(&redis.Options{Addr: address})
}

func receive(messages <-chan *redis.Message) *redis.Message {
	select {
	case message := <-messages:
		return message
	case <-time.After(stepLimit):
		panic("no message in time")
	}
}

func transactions(client *redis.Client) {
	check("watch_retry_loop", func() {
		const workers, rounds = 8, 25
		must(client.Set(ctx, "app:balance", 0, 0).Err())
		var conflicts int64
		increment := func(tx *redis.Tx) error {
			value, err := tx.Get(ctx, "app:balance").Int()
			if err != nil {
				return err
			}
			_, err = tx.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
				pipe.Set(ctx, "app:balance", value+1, 0)
				pipe.RPush(ctx, "app:history", value+1)
				return nil
			})
			return err
		}
		var group sync.WaitGroup
		for w := 0; w < workers; w++ {
			group.Add(1)
			go func() {
				defer group.Done()
				for done := 0; done < rounds; {
					switch err := client.Watch(ctx, increment, "app:balance"); {
					case err == nil:
						done++
					case errors.Is(err, redis.TxFailedErr):
						atomic.AddInt64(&conflicts, 1)
					default:
						fmt.Println(err)
						return
					}
				}
			}()
		}
		group.Wait()
		balance, err := client.Get(ctx, "app:balance").Int()
		must(err)
		equal(balance, workers*rounds)
		length, err := client.LLen(ctx, "app:history").Result()
		must(err)
		equal(length, int64(workers*rounds))
		if conflicts == 0 {
			panic("nobody was ever in the way")
		}
	})
	check("watch_expiry_aborts", func() {
		must(client.Set(ctx, "app:short", 1, 30*time.Millisecond).Err())
		err := client.Watch(ctx, func(tx *redis.Tx) error {
			time.Sleep(60 * time.Millisecond)
			_, err := tx.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
				pipe.Set(ctx, "app:short", 2, 0)
				return nil
			})
			return err
		}, "app:short")
		if !errors.Is(err, redis.TxFailedErr) {
			panic(fmt.Sprintf("%v is not TxFailedErr", err))
		}
	})
}

func pubsub(client *redis.Client) {
	listener := client.Subscribe(ctx, "app:news")
	defer listener.Close()
	messages := listener.Channel()
	check("pubsub_channel", func() {
		waitUntil(func() bool { return client.PubSubNumSub(ctx, "app:news").Val()["app:news"] == 1 }, "a subscriber")
		for i := 0; i < 100; i++ {
			must(client.Publish(ctx, "app:news", i).Err())
		}
		for i := 0; i < 100; i++ {
			equal(receive(messages).Payload, fmt.Sprint(i))
		}
	})
	check("pubsub_survives_kill", func() {
		closed, err := client.ClientKillByFilter(ctx, "TYPE", "pubsub").Result()
		must(err)
		equal(closed, int64(1))
		waitUntil(func() bool { return client.Publish(ctx, "app:news", "again").Val() == 1 }, "a new subscription")
		equal(receive(messages).Payload, "again")
	})
}

func blocking(client *redis.Client) {
	check("blocking_pop_fifo", func() {
		const poppers = 5
		served := make(chan string, poppers)
		for i := 0; i < poppers; i++ {
			name := fmt.Sprint(i)
			go func() {
				element, err := client.BLPop(ctx, stepLimit, "app:queue").Result()
				if err != nil {
					served <- err.Error()
					return
				}
				served <- name + "=" + element[1]
			}()
			waitUntil(func() bool {
				info := client.Info(ctx, "clients").Val()
				var blocked int
				for at := range info {
					if _, err := fmt.Sscanf(info[at:], "blocked_clients:%d", &blocked); err == nil {
						break
					}
				}
				return blocked == i+1
			}, "a blocked client")
		}
		for i := 0; i < poppers; i++ {
			must(client.RPush(ctx, "app:queue", i).Err())
			select {
			case seen := <-served:
				equal(seen, fmt.Sprintf("%d=%d", i, i))
			case <-time.After(stepLimit):
				panic("nobody was served")
			}
		}
	})
}

func keyspaceEvents(client *redis.Client) {
	check("keyspace_events", func() {
		must(client.ConfigSet(ctx, "notify-keyspace-events", "Egx").Err())
		defer client.ConfigSet(ctx, "notify-keyspace-events", "")
		listener := client.PSubscribe(ctx, "__keyevent@0__:*")
		defer listener.Close()
		_, err := listener.Receive(ctx)
		must(err)
		must(client.Set(ctx, "app:session", 1, 50*time.Millisecond).Err())
		must(client.Set(ctx, "app:gone", 1, 0).Err())
		must(client.Del(ctx, "app:gone").Err())
		messages := listener.Channel()
		first, second, third := receive(messages), receive(messages), receive(messages)
		equal(first.Channel+" "+first.Payload, "__keyevent@0__:expire app:session")
		equal(second.Channel+" "+second.Payload, "__keyevent@0__:del app:gone")
		equal(third.Channel+" "+third.Payload, "__keyevent@0__:expired app:session")
	})
}

func main() {
	client := connect()
	transactions(client)
	pubsub(client)
	blocking(client)
	keyspaceEvents(client)
	finish()
}
