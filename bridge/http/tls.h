#pragma once
#include <memory>

#include <boost/asio/generic/stream_protocol.hpp>

#include "bridge/http/server.h"
#include "bridge/http/transport.h"
#include "policy/result.h"

namespace progtc::bridge::http {

// The server's certificate and settings, shared by its connections.
class TlsContext {
 public:
  TlsContext() = default;
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;
  virtual ~TlsContext() = default;

  // The transport must not outlive this.
  virtual std::unique_ptr<Transport> wrap(boost::asio::generic::stream_protocol::socket socket) = 0;
};

// Errors: names the file.
Result<std::shared_ptr<TlsContext>> load_tls(const TlsFiles& files);

}  // namespace progtc::bridge::http
