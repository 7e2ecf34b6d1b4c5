#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include "bridge/http/server.h"

namespace progtc::bridge::http {
namespace {

namespace asio = boost::asio;
namespace ssl = asio::ssl;
using namespace std::chrono_literals;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;
constexpr auto use_result = asio::as_tuple(asio::use_awaitable);

template <typename T, void (*Free)(T*)>
struct Freed {
  void operator()(T* object) const { Free(object); }
};

// A key and a certificate for localhost that it signs itself.
void write_certificate(const std::string& certificate_path, const std::string& key_path) {
  const std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY, EVP_PKEY_free>> key(EVP_EC_gen("P-256"));
  const std::unique_ptr<X509, Freed<X509, X509_free>> certificate(X509_new());
  ASSERT_TRUE(key && certificate);
  ASSERT_EQ(X509_set_version(certificate.get(), 2), 1);
  ASSERT_EQ(ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1), 1);
  ASSERT_TRUE(X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -3600));
  ASSERT_TRUE(X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600));
  X509_NAME* name = X509_get_subject_name(certificate.get());
  const auto* host = reinterpret_cast<const unsigned char*>("localhost");
  ASSERT_EQ(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, host, -1, -1, 0), 1);
  ASSERT_EQ(X509_set_issuer_name(certificate.get(), name), 1);
  ASSERT_EQ(X509_set_pubkey(certificate.get(), key.get()), 1);
  ASSERT_GT(X509_sign(certificate.get(), key.get(), EVP_sha256()), 0);
  std::FILE* file = std::fopen(certificate_path.c_str(), "we");
  ASSERT_TRUE(file);
  EXPECT_EQ(PEM_write_X509(file, certificate.get()), 1);
  EXPECT_EQ(std::fclose(file), 0);
  file = std::fopen(key_path.c_str(), "we");
  ASSERT_TRUE(file);
  EXPECT_EQ(PEM_write_PrivateKey(file, key.get(), nullptr, nullptr, 0, nullptr, nullptr), 1);
  EXPECT_EQ(std::fclose(file), 0);
}

asio::awaitable<void> echo(Exchange& exchange) {
  Response response;
  response.body = exchange.request().body;
  auto sent = co_await exchange.respond(std::move(response));
  EXPECT_TRUE(sent);
}

// What a client of TLS gets: the answer, or why there is none.
struct Got {
  boost::system::error_code handshake;
  boost::system::error_code end;
  std::string answer;
};

asio::awaitable<Got> ask(std::uint16_t port, std::string request, int max_version, std::string trusted) {
  Got got;
  ssl::context context(ssl::context::tls_client);
  SSL_CTX_set_max_proto_version(context.native_handle(), max_version);
  SSL_CTX_set_security_level(context.native_handle(), 0);  // or this end would refuse old versions itself
  context.load_verify_file(trusted);
  context.set_verify_mode(ssl::verify_peer);
  ssl::stream<asio::ip::tcp::socket> stream(co_await asio::this_coro::executor, context);
  const asio::ip::tcp::endpoint server(asio::ip::address_v4::loopback(), port);
  auto [unreachable] = co_await stream.next_layer().async_connect(server, use_result);
  EXPECT_FALSE(unreachable);
  auto [handshake] = co_await stream.async_handshake(ssl::stream_base::client, use_result);
  got.handshake = handshake;
  if (handshake) co_return got;
  auto [failed, sent] = co_await asio::async_write(stream, asio::buffer(request), use_result);
  EXPECT_FALSE(failed);
  std::string buffer(64UL * 1024, '\0');
  for (;;) {
    auto [ec, count] = co_await stream.async_read_some(asio::buffer(buffer), use_result);
    got.answer.append(buffer, 0, count);
    got.end = ec;
    if (ec) co_return got;
  }
}

class HttpTlsTest : public testing::Test {
 protected:
  HttpTlsTest() {
    char pattern[] = "/tmp/progtc-tls-XXXXXX";
    folder_ = ::mkdtemp(pattern);
    files_ = TlsFiles{folder_ + "/certificate.pem", folder_ + "/key.pem"};
    write_certificate(files_.certificate, files_.key);
  }
  ~HttpTlsTest() override {
    server_.reset();
    context_.restart();
    context_.run_for(5s);
    std::filesystem::remove_all(folder_);
  }

  void start(Limits limits = {}) {
    auto server = Server::create(context_.get_executor(), limits, echo);
    ASSERT_TRUE(server);
    server_ = std::move(*server);
    const auto secured = server_->use_tls(files_);
    ASSERT_TRUE(secured) << secured.error().context;
    auto port = server_->listen_tcp("127.0.0.1", 0);
    ASSERT_TRUE(port) << port.error().context;
    port_ = *port;
  }

  bool run_until(const std::function<bool()>& condition) {
    const auto end = std::chrono::steady_clock::now() + 30s;
    context_.restart();
    while (!condition() && std::chrono::steady_clock::now() < end) context_.run_one_for(1s);
    return condition();
  }

  Got talk(const std::string& request, int max_version = TLS1_3_VERSION) {
    std::optional<Got> result;
    asio::co_spawn(context_, ask(port_, request, max_version, files_.certificate),
                   [&](const std::exception_ptr& failure, Got got) {
                     EXPECT_FALSE(failure);
                     result = std::move(got);
                   });
    EXPECT_TRUE(run_until([&] { return result.has_value(); }));
    return result.value_or(Got());
  }

  asio::io_context context_{1};
  std::string folder_;
  TlsFiles files_;
  std::unique_ptr<Server> server_;
  std::uint16_t port_ = 0;
};

TEST_F(HttpTlsTest, ServesTls12And13) {
  start();
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    const Got got =
        talk("POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello", version);
    EXPECT_FALSE(got.handshake) << got.handshake.message();
    EXPECT_THAT(got.answer, StartsWith("HTTP/1.1 200 OK\r\n"));
    EXPECT_THAT(got.answer, EndsWith("\r\n\r\nhello"));
    EXPECT_EQ(got.end, asio::error::eof);  // and not truncated: the server said that this is all
  }
}

TEST_F(HttpTlsTest, OlderVersionsAreRefused) {
  start();
  EXPECT_TRUE(talk("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", TLS1_1_VERSION).handshake);
}

TEST_F(HttpTlsTest, LargeBodiesGoBothWays) {
  start();
  const std::string body(2UL << 20U, 'b');
  const Got got =
      talk("POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: " + std::to_string(body.size()) +
           "\r\n\r\n" + body);
  EXPECT_TRUE(got.answer.ends_with("\r\n\r\n" + body));
}

TEST_F(HttpTlsTest, PlainHttpAndSilenceEndInTheHandshake) {
  Limits limits;
  limits.header_time = 200ms;
  start(limits);
  asio::ip::tcp::socket plain(context_);
  asio::ip::tcp::socket silent(context_);
  const asio::ip::tcp::endpoint server(asio::ip::address_v4::loopback(), port_);
  plain.connect(server);
  silent.connect(server);
  asio::write(plain, asio::buffer(std::string("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")));
  EXPECT_TRUE(run_until([&] { return server_->counters().total == 2 && server_->counters().open == 0; }));
  EXPECT_THAT(talk("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").answer,
              StartsWith("HTTP/1.1 200"));
}

TEST_F(HttpTlsTest, TooManyConnectionsAreTurnedAway) {
  Limits limits;
  limits.connections = 1;
  start(limits);
  bool is_known = false;
  server_->set_recogniser([&](const Request&) { return is_known = true; });
  asio::co_spawn(context_, ask(port_, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", TLS1_3_VERSION, files_.certificate),
                 asio::detached);
  ASSERT_TRUE(run_until([&] { return is_known; }));
  EXPECT_THAT(talk("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").answer, StartsWith("HTTP/1.1 503 "));
}

TEST_F(HttpTlsTest, BadFilesAreNamed) {
  auto server = Server::create(context_.get_executor(), {}, echo);
  ASSERT_TRUE(server);
  const auto missing = (*server)->use_tls(TlsFiles{folder_ + "/none", files_.key});
  ASSERT_FALSE(missing);
  EXPECT_THAT(missing.error().context, StartsWith("tls: certificate '" + folder_ + "/none': "));
  std::ofstream(folder_ + "/junk") << "junk";
  const auto junk = (*server)->use_tls(TlsFiles{files_.certificate, folder_ + "/junk"});
  ASSERT_FALSE(junk);
  EXPECT_THAT(junk.error().context, StartsWith("tls: key '" + folder_ + "/junk': "));
  write_certificate(folder_ + "/other.pem", folder_ + "/other-key.pem");
  const auto foreign = (*server)->use_tls(TlsFiles{files_.certificate, folder_ + "/other-key.pem"});
  ASSERT_FALSE(foreign);
  EXPECT_THAT(foreign.error().context, HasSubstr("key values mismatch"));
}

}  // namespace
}  // namespace progtc::bridge::http
