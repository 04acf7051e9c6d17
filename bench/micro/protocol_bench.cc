// The protocol layer alone: what a request costs to parse and a reply to write, in nanoseconds.
#include <benchmark/benchmark.h>

#include <string>

#include "protocol/reply_reader.h"
#include "protocol/reply_writer.h"
#include "protocol/request_parser.h"

namespace larder {
namespace {

std::string encode(std::initializer_list<std::string> args) {
  std::string out = "*" + std::to_string(args.size()) + "\r\n";
  for (const std::string& arg : args) out += "$" + std::to_string(arg.size()) + "\r\n" + arg + "\r\n";
  return out;
}

// A pipeline of 16 requests in one arena, as a tick sees it. Time is per request.
void parse_pipeline(benchmark::State& state, const std::string& request) {
  constexpr int kRequests = 16;
  std::string input;
  for (int i = 0; i < kRequests; i++) input += request;
  RequestArgs args;
  ParseProgress progress;
  const RequestLimits limits;
  for (auto _ : state) {
    args.clear();
    Bytes rest = input;
    while (!rest.empty()) {
      const ParseResult result = parse_request(rest, limits, progress, args);
      if (result.outcome != ParseOutcome::kRequest) return state.SkipWithError("not parsed");
      rest.remove_prefix(result.consumed);
    }
    benchmark::DoNotOptimize(args.size());
  }
  state.SetItemsProcessed(state.iterations() * kRequests);
}

void parse_set(benchmark::State& state) {
  parse_pipeline(state, encode({"SET", "key:000012345678", std::string(static_cast<size_t>(state.range(0)), 'v')}));
}
BENCHMARK(parse_set)->Arg(8)->Arg(100)->Arg(1000);

void parse_get(benchmark::State& state) { parse_pipeline(state, encode({"GET", "key:000012345678"})); }
BENCHMARK(parse_get);

void parse_inline(benchmark::State& state) { parse_pipeline(state, "SET key:000012345678 value\r\n"); }
BENCHMARK(parse_inline);

// A request that arrives in pieces: time per byte must not grow with its size.
void parse_in_pieces(benchmark::State& state) {
  const std::string input = encode({"SET", "key", std::string(static_cast<size_t>(state.range(0)), 'v')});
  constexpr size_t kPieceBytes = 1024;
  const RequestLimits limits;
  RequestArgs args;
  for (auto _ : state) {
    args.clear();
    ParseProgress progress;
    for (size_t have = kPieceBytes; have < input.size() + kPieceBytes; have += kPieceBytes) {
      benchmark::DoNotOptimize(parse_request(Bytes(input).substr(0, have), limits, progress, args));
    }
  }
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(input.size()));
}
BENCHMARK(parse_in_pieces)->Arg(64 << 10)->Arg(1 << 20);

template <class Write>
void write_replies(benchmark::State& state, Write write) {
  constexpr int kReplies = 64;
  Buffer out;
  ReplyWriter writer(out, 2);
  for (auto _ : state) {
    out.clear();
    for (int i = 0; i < kReplies; i++) write(writer, i);
    benchmark::DoNotOptimize(out.data());
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * kReplies);
}

void write_ok(benchmark::State& state) {
  write_replies(state, [](ReplyWriter& writer, int) { writer.ok(); });
}
BENCHMARK(write_ok);
void write_small_integer(benchmark::State& state) {
  write_replies(state, [](ReplyWriter& writer, int i) { writer.integer(i & 7); });
}
BENCHMARK(write_small_integer);
void write_large_integer(benchmark::State& state) {
  write_replies(state, [](ReplyWriter& writer, int i) { writer.integer(123456789012 + i); });
}
BENCHMARK(write_large_integer);
void write_null(benchmark::State& state) {
  write_replies(state, [](ReplyWriter& writer, int) { writer.null(); });
}
BENCHMARK(write_null);
void write_bulk_100(benchmark::State& state) {
  const std::string value(100, 'v');
  write_replies(state, [&](ReplyWriter& writer, int) { writer.bulk(value); });
}
BENCHMARK(write_bulk_100);
void write_double(benchmark::State& state) {
  write_replies(state, [](ReplyWriter& writer, int i) { writer.bulk_double(i + 0.1); });
}
BENCHMARK(write_double);

void write_long_double(benchmark::State& state) {
  char out[kLongDoubleTextBytesMax];
  long double value = 10.5L;
  for (auto _ : state) {
    benchmark::DoNotOptimize(write_long_double_human(out, value));
    value += 0.1L;
  }
}
BENCHMARK(write_long_double);

void scan_replies(benchmark::State& state) {
  std::string stream;
  for (int i = 0; i < 64; i++) stream += "$100\r\n" + std::string(100, 'v') + "\r\n";
  ReplyScanner scanner;
  ReplyScanner::Counts counts;
  for (auto _ : state) benchmark::DoNotOptimize(scanner.feed(stream, &counts));
  state.SetItemsProcessed(state.iterations() * 64);
}
BENCHMARK(scan_replies);

void read_replies(benchmark::State& state) {
  std::string stream;
  for (int i = 0; i < 64; i++) stream += "$100\r\n" + std::string(100, 'v') + "\r\n";
  ReplyReader reader;
  for (auto _ : state) {
    reader.feed(stream);
    Reply reply;
    while (reader.next(&reply) == ReplyOutcome::kReply) benchmark::DoNotOptimize(reply.text.data());
  }
  state.SetItemsProcessed(state.iterations() * 64);
}
BENCHMARK(read_replies);

}  // namespace
}  // namespace larder
