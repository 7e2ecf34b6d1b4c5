#pragma once
#include <cstddef>
#include <string>

namespace progtc::sys {

// Two hex digits for each of `bytes` (256 at most) of the kernel's randomness: what cannot be guessed. Ends the process
// where the kernel has none, as something that can be guessed would be worse (getrandom(2)).
std::string random_hex(std::size_t bytes);

}  // namespace progtc::sys
