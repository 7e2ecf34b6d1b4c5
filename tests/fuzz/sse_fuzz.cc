// A stream of server-sent events reads the same however it is cut. The first byte chooses the cuts.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "bridge/http/sse.h"
#include "bridge/utf8.h"

namespace {

using namespace progtc::bridge;
using namespace progtc::bridge::http;

constexpr std::size_t kMaxEventBytes = 256;

void require(bool holds) {
  if (!holds) std::abort();
}

struct Heard {
  std::vector<SseEvent> events;
  bool has_failed = false;
};

Heard read(std::string_view input, std::size_t step) {
  Heard heard;
  SseParser parser(kMaxEventBytes);
  for (std::size_t at = 0; at < input.size(); at += step) {
    std::string_view part = input.substr(at, step);
    for (;;) {
      auto event = parser.next(part);
      if (!event) {
        heard.has_failed = true;
        return heard;
      }
      if (!event->has_value()) break;
      heard.events.push_back(std::move(**event));
    }
    require(part.empty());
  }
  return heard;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Heard cut = read(input, data[0] == 0 ? 1 : data[0]);
  const Heard whole = read(input, input.size() + 1);
  require(cut.has_failed == whole.has_failed && cut.events.size() == whole.events.size());
  for (std::size_t i = 0; i < cut.events.size(); ++i) {
    const SseEvent& event = cut.events[i];
    require(event.data == whole.events[i].data && event.event == whole.events[i].event);
    require(event.last_event_id == whole.events[i].last_event_id);
    require(is_utf8(event.event) && is_utf8(event.last_event_id));
    require(!event.event.empty());
    require(event.data.size() <= kMaxEventBytes);
  }
  // What we send arrives as one event, with its line breaks made equal.
  const std::string text = to_utf8(input.substr(0, kMaxEventBytes / 8));
  const Heard own = read(sse_comment() + sse_event(text), data[0] == 0 ? 1 : data[0]);
  require(!own.has_failed && own.events.size() == 1);
  return 0;
}
