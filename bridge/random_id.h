#pragma once
#include <string>

namespace progtc::bridge {

// 32 hex digits from getrandom(2): an id that cannot be guessed.
std::string random_id();

}  // namespace progtc::bridge
