#pragma once
// "did you mean": the names close enough to a misspelt one.
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace progtc::policy {

// At most three of `candidates`, nearest first, within an edit distance (transpositions count once) of a third of
// `word`'s length, at least one. Long words are not compared: the cost is bounded.
std::vector<std::string> near_matches(std::string_view word, std::span<const std::string> candidates);

// `; did you mean "strict"?`, `; did you mean "a" or "b"?`, or nothing.
std::string did_you_mean(std::string_view word, std::span<const std::string> candidates);

// `"text"` with control characters escaped and the middle of anything long left out: how messages quote input.
std::string quoted(std::string_view text);

}  // namespace progtc::policy
