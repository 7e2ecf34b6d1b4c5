// The pieces that lie on the path of every tool call: a frame in, the call taken apart, a reply put together.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <string>
#include <string_view>

#include <benchmark/benchmark.h>

#include "bridge/envelope.h"
#include "bridge/frame.h"

namespace progtc::bridge {
namespace {

constexpr std::uint64_t kFrameCap = 16ULL << 20;
constexpr std::size_t kReadBytes = 64 << 10;  // what one read of a socket brings at most

// A call whose one argument has as many bytes as the benchmark's first number says.
std::string call_frame(const benchmark::State& state) {
  const std::string argument(static_cast<std::size_t>(state.range(0)), 'x');
  return encode_frame(FrameKind::kCall, R"({"id":7,"tool":"factor","args":[],"kwargs":{"text":")" + argument + "\"}}");
}

[[noreturn]] void give_up(const Error& error) {
  std::cerr << "hot_pieces: " << error.context << '\n';
  std::exit(EXIT_FAILURE);
}

// Bytes to frame, in reads as a socket gives them, and frame to call.
void decode_call_frame(benchmark::State& state) {
  const std::string bytes = call_frame(state);
  for (auto _ : state) {
    FrameDecoder decoder(FrameSource::kGuest, kFrameCap);
    for (std::size_t at = 0; at < bytes.size(); at += kReadBytes) {
      std::string_view read = std::string_view(bytes).substr(at, kReadBytes);
      auto frame = decoder.next(read);
      if (!frame) give_up(frame.error());
      if (!frame->has_value()) continue;
      auto call = decode_call((**frame).payload);
      if (!call) give_up(call.error());
      benchmark::DoNotOptimize(call);
    }
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * bytes.size()));
}
BENCHMARK(decode_call_frame)->Arg(16)->Arg(4 << 10)->Arg(1 << 20);

void encode_result_frame(benchmark::State& state) {
  const std::string result = "\"" + std::string(static_cast<std::size_t>(state.range(0)), 'x') + "\"";
  for (auto _ : state) benchmark::DoNotOptimize(encode_result(7, result));
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * result.size()));
}
BENCHMARK(encode_result_frame)->Arg(16)->Arg(4 << 10)->Arg(1 << 20);

}  // namespace
}  // namespace progtc::bridge
