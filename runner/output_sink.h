#pragma once
// Where a run's output goes as it comes: the host's own streams, a client at the end of a connection.
#include <string_view>

#include <boost/asio/awaitable.hpp>

#include "policy/result.h"

namespace progtc::runner {

class OutputSink {
 public:
  virtual ~OutputSink() = default;
  // Returns when all of `bytes` are taken: the code waits for a reader that is slow. Errors: errno; EPIPE when the
  // reader has gone, which the code then meets as a broken pipe of its own.
  virtual boost::asio::awaitable<Result<void>> write(std::string_view bytes) = 0;
};

}  // namespace progtc::runner
