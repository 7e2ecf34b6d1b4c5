#include "bridge/http/tls.h"

#include <string>
#include <utility>

#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>

namespace progtc::bridge::http {
namespace {

namespace ssl = boost::asio::ssl;
using Socket = boost::asio::generic::stream_protocol::socket;

class Context final : public TlsContext {
 public:
  Context() : context_(ssl::context::tls_server) {}

  boost::system::error_code load(const TlsFiles& files, std::string& culprit) {
    boost::system::error_code ec;
    culprit = "TLS settings";
    if (::SSL_CTX_set_min_proto_version(context_.native_handle(), TLS1_2_VERSION) != 1)
      return boost::system::errc::make_error_code(boost::system::errc::protocol_not_supported);
    context_.set_options(ssl::context::no_compression | SSL_OP_NO_RENEGOTIATION, ec);
    if (ec) return ec;
    // Without this OpenSSL would ask for a passphrase on the terminal.
    context_.set_password_callback([](std::size_t, ssl::context::password_purpose) { return std::string(); }, ec);
    if (ec) return ec;
    culprit = "certificate '" + files.certificate + "'";
    context_.use_certificate_chain_file(files.certificate, ec);
    if (ec) return ec;
    culprit = "key '" + files.key + "'";
    context_.use_private_key_file(files.key, ssl::context::pem, ec);
    return ec;
  }

  std::unique_ptr<Transport> wrap(Socket socket) override {
    return std::make_unique<StreamTransport<ssl::stream<Socket>>>(ssl::stream<Socket>(std::move(socket), context_));
  }

 private:
  ssl::context context_;
};

}  // namespace

Result<std::shared_ptr<TlsContext>> load_tls(const TlsFiles& files) {
  auto context = std::make_shared<Context>();
  std::string culprit;
  if (const auto ec = context->load(files, culprit)) return Error{ec, "tls: " + culprit + ": " + ec.message()};
  return std::shared_ptr<TlsContext>(std::move(context));
}

}  // namespace progtc::bridge::http
