// Package ratelimit limits the requests of a net/http handler: one RL.TAKE for all limits of a request, which counts the
// request in each of them or in none.
//
//	limited := ratelimit.Middleware(client, func(r *http.Request) []ratelimit.Limit {
//		host, _, _ := net.SplitHostPort(r.RemoteAddr)
//		return []ratelimit.Limit{
//			{Key: "limit:ip:" + host, Rule: []any{"GCRA", 100, 60000}}, // 100 a minute, evenly
//			{Key: "limit:path:" + r.URL.Path, Rule: []any{"FIXED", 5000, 1000}},
//		}
//	}, handler)
//
// Requests pass while the server cannot be asked.
package ratelimit

import (
	"context"
	"fmt"
	"net/http"

	"github.com/redis/go-redis/v9"
)

// Limit is a key and the words of its rule.
type Limit struct {
	Key  string
	Rule []any
}

// Verdict is what RL.TAKE answers about all limits of a request.
type Verdict struct {
	Allowed    bool
	LimitedBy  string
	RetryAfter int64 // seconds; -1: no waiting helps
	Limit      int64
	Remaining  int64
	Reset      int64 // seconds
}

// Take asks for one request.
func Take(ctx context.Context, client redis.UniversalClient, limits []Limit) (Verdict, error) {
	words := []any{"RL.TAKE", len(limits)}
	for _, limit := range limits {
		words = append(words, limit.Key)
	}
	for _, limit := range limits {
		words = append(words, limit.Rule...)
	}
	reply, err := client.Do(ctx, words...).Result()
	if err != nil {
		return Verdict{}, err
	}
	fields := asMap(reply)
	verdict := Verdict{
		Allowed:    fields["allowed"] == true || fields["allowed"] == int64(1),
		RetryAfter: number(fields["retry_after"]),
		Limit:      number(fields["limit"]),
		Remaining:  number(fields["remaining"]),
		Reset:      number(fields["reset"]),
	}
	verdict.LimitedBy, _ = fields["limited_by"].(string)
	return verdict, nil
}

// asMap reads the map of RESP3, or the names and values by turns of RESP2.
func asMap(reply any) map[string]any {
	fields := map[string]any{}
	switch pairs := reply.(type) {
	case map[any]any:
		for name, value := range pairs {
			fields[fmt.Sprint(name)] = value
		}
	case []any:
		for i := 0; i+1 < len(pairs); i += 2 {
			fields[fmt.Sprint(pairs[i])] = pairs[i+1]
		}
	}
	return fields
}

func number(value any) int64 {
	n, _ := value.(int64)
	return n
}

// Middleware answers 429 for requests over a limit, and tells of the limits in every response.
func Middleware(client redis.UniversalClient, limits func(*http.Request) []Limit, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		verdict, err := Take(r.Context(), client, limits(r))
		if err != nil {
			next.ServeHTTP(w, r)
			return
		}
		header := w.Header()
		header.Set("RateLimit-Limit", fmt.Sprint(verdict.Limit))
		header.Set("RateLimit-Remaining", fmt.Sprint(verdict.Remaining))
		header.Set("RateLimit-Reset", fmt.Sprint(verdict.Reset))
		if verdict.Allowed {
			next.ServeHTTP(w, r)
			return
		}
		if verdict.RetryAfter >= 0 {
			header.Set("Retry-After", fmt.Sprint(verdict.RetryAfter))
		}
		http.Error(w, "too many requests: "+verdict.LimitedBy, http.StatusTooManyRequests)
	})
}
