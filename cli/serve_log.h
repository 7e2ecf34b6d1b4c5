#pragma once
#include <string>
#include <utility>
#include <vector>

#include "cli/log_writer.h"
#include "cli/text.h"

namespace progtc::cli {

// The daemon's log: one event a line, as text or as a JSON object. What comes from outside cannot make a line of its
// own, nor reach the terminal as anything but text. Nothing here waits for the reader.
class ServeLog {
 public:
  using Fields = std::vector<std::pair<std::string, std::string>>;
  ServeLog(int fd, bool is_json, LogWriter::Bounds bounds = {});

  void event(const std::string& event, const Fields& fields);
  void error(const std::string& text) { event("error", {{"message", text}}); }
  // A line for whoever started the daemon, in plain text whatever the format.
  void say(const std::string& text) { writer_.put("progtc serve: " + to_line(text) + "\n"); }
  [[nodiscard]] std::uint64_t dropped() const { return writer_.dropped(); }

 private:
  bool is_json_;
  LogWriter writer_;
};

}  // namespace progtc::cli
