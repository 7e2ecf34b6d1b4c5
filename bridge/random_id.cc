#include "bridge/random_id.h"

#include <sys/random.h>

#include <array>
#include <stdexcept>

namespace progtc::bridge {

std::string random_id() {
  std::array<unsigned char, 16> bytes{};
  // 256 bytes or fewer come whole and never wait once the pool is ready (getrandom(2)).
  if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()))
    throw std::runtime_error("getrandom failed");  // no such kernel; an id that can be guessed would be worse
  constexpr char kHex[] = "0123456789abcdef";
  std::string id;
  for (const unsigned char byte : bytes) {
    id += kHex[byte >> 4U];
    id += kHex[byte & 15U];
  }
  return id;
}

}  // namespace progtc::bridge
