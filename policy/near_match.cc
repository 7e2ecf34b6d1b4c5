#include "policy/near_match.h"

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <utility>

namespace progtc::policy {
namespace {

constexpr std::size_t kLongestCompared = 64;
constexpr std::size_t kMostSuggested = 3;

// Optimal string alignment: insert, delete, replace, swap neighbours.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1);
  std::vector<std::size_t> last(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replace = last[j - 1] + (a[i - 1] == b[j - 1] ? 0U : 1U);
      row[j] = std::min({replace, last[j] + 1, row[j - 1] + 1});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    std::swap(before, last);
    std::swap(last, row);
  }
  return last[b.size()];
}

}  // namespace

std::vector<std::string> near_matches(std::string_view word, std::span<const std::string> candidates) {
  std::vector<std::pair<std::size_t, std::string>> found;
  if (word.empty() || word.size() > kLongestCompared) return {};
  const std::size_t furthest = std::max<std::size_t>(1, word.size() / 3);
  for (const std::string& candidate : candidates) {
    if (candidate.size() > kLongestCompared) continue;
    const std::size_t distance = edit_distance(word, candidate);
    if (distance <= furthest && distance < candidate.size()) found.emplace_back(distance, candidate);
  }
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  if (found.size() > kMostSuggested) found.resize(kMostSuggested);
  std::vector<std::string> names;
  names.reserve(found.size());
  for (auto& [distance, name] : found) names.push_back(std::move(name));
  return names;
}

std::string did_you_mean(std::string_view word, std::span<const std::string> candidates) {
  const std::vector<std::string> near = near_matches(word, candidates);
  if (near.empty()) return "";
  std::string text = "; did you mean ";
  for (std::size_t i = 0; i < near.size(); ++i) {
    if (i > 0) text += i + 1 == near.size() ? " or " : ", ";
    text += quoted(near[i]);
  }
  return text + "?";
}

std::string quoted(std::string_view text) {
  constexpr std::size_t kLongestShown = 80;
  std::string shown(text);
  if (shown.size() > kLongestShown) {
    std::size_t cut = kLongestShown / 2;
    while (cut > 0 && (static_cast<unsigned char>(shown[cut]) & 0xC0U) == 0x80U) --cut;  // whole UTF-8 characters only
    std::size_t resume = shown.size() - kLongestShown / 4;
    while (resume < shown.size() && (static_cast<unsigned char>(shown[resume]) & 0xC0U) == 0x80U) ++resume;
    shown = shown.substr(0, cut) + "…" + shown.substr(resume);
  }
  std::string out = "\"";
  for (const char c : shown) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte == 0x7F) {
      char escaped[8];
      (void)std::snprintf(escaped, sizeof escaped, "\\u%04x", byte);
      out += escaped;
    } else {
      out += c;
    }
  }
  return out + '"';
}

}  // namespace progtc::policy
