#include "cli/serve_log.h"

#include <cstdio>
#include <ctime>

#include "bridge/json.h"
#include "bridge/utf8.h"
#include "cli/text.h"

namespace progtc::cli {
namespace {

std::string now() {
  timespec time{};
  ::clock_gettime(CLOCK_REALTIME, &time);
  tm parts{};
  ::gmtime_r(&time.tv_sec, &parts);
  char text[96];
  (void)std::snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ", parts.tm_year + 1900, parts.tm_mon + 1,
                      parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, time.tv_nsec / 1'000'000);
  return text;
}

std::string line_of(bool is_json, const std::string& event, const ServeLog::Fields& fields) {
  std::string line;
  if (is_json) {
    line = R"({"time":)" + bridge::encode_string(now()) + R"(,"event":)" + bridge::encode_string(event);
    for (const auto& [key, value] : fields)
      line += "," + bridge::encode_string(key) + ":" + bridge::encode_string(bridge::to_utf8(value));
    return line + "}\n";
  }
  line = now() + " " + event;
  for (const auto& [key, value] : fields) {
    const bool is_plain = !value.empty() && value.find_first_of(" \"=\n\t") == std::string::npos;
    line += " " + key + "=" + (is_plain ? to_line(value) : bridge::encode_string(to_line(value)));
  }
  return line + "\n";
}

}  // namespace

ServeLog::ServeLog(int fd, bool is_json, LogWriter::Bounds bounds)
    : is_json_(is_json),
      writer_(
          fd,
          [is_json](std::uint64_t dropped) {
            return line_of(is_json, "log", {{"message", std::to_string(dropped) + " lines dropped"}});
          },
          bounds) {}

void ServeLog::event(const std::string& event, const Fields& fields) { writer_.put(line_of(is_json_, event, fields)); }

}  // namespace progtc::cli
