#pragma once
#include <string>
#include <utility>
#include <vector>

namespace progtc::cli {

// The daemon's log on stderr: one event a line, as text or as a JSON object. What comes from outside cannot make a line
// of its own, nor reach the terminal as anything but text.
class ServeLog {
 public:
  explicit ServeLog(bool is_json) : is_json_(is_json) {}
  using Fields = std::vector<std::pair<std::string, std::string>>;
  void event(const std::string& event, const Fields& fields) const;
  void error(const std::string& text) const { event("error", {{"message", text}}); }

 private:
  bool is_json_;
};

}  // namespace progtc::cli
