#include "bridge/http/host_check.h"

#include <string>

#include <gtest/gtest.h>

namespace progtc::bridge::http {
namespace {

unsigned status_for(const std::string& host, const std::string& origin = "") {
  Request request;
  if (!host.empty()) request.headers.add("Host", host);
  if (!origin.empty()) request.headers.add("Origin", origin);
  const auto refusal = check_host(request, "192.0.2.7", {"sandbox.example"});
  return refusal ? refusal->status : 200;
}

TEST(HttpHostCheckTest, ServesItsOwnNamesOnly) {
  for (const char* host : {"localhost", "LOCALHOST:8000", "localhost.", "127.0.0.1:8000", "127.8.9.10", "[::1]:8000",
                           "[0:0::1]", "[::ffff:127.0.0.1]", "192.0.2.7:80", "sandbox.example", "Sandbox.Example.:443"})
    EXPECT_EQ(status_for(host), 200U) << host;
  for (const char* host : {"evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "192.0.2.8", "127.1",
                           "2130706433", "[::2]", "0.0.0.0", "x.sandbox.example", "1.2.3.4:80"})
    EXPECT_EQ(status_for(host), 421U) << host;
  for (const char* host : {"evil.example@localhost", "localhost:80:80", "localhost:x", "[::1", "[localhost]", "[::1]x",
                           "local host", "localhost/x", ":80", "localhost:123456", "."})
    EXPECT_EQ(status_for(host), 400U) << host;
  EXPECT_EQ(status_for(""), 200U);  // HTTP/1.0: no browser sends that
}

TEST(HttpHostCheckTest, NamesTheHostItRefuses) {
  Request request;
  request.headers.add("Host", "evil.example:8000");
  const auto refusal = check_host(request, "127.0.0.1", {});
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->body, R"({"detail": "host 'evil.example' is not one of this server's names"})");
}

TEST(HttpHostCheckTest, ServesPagesOfThisMachineOnly) {
  for (const char* origin : {"http://localhost:3000", "https://127.0.0.1", "http://[::1]:6274"})
    EXPECT_EQ(status_for("localhost:8000", origin), 200U) << origin;
  for (const char* origin : {"http://evil.example", "null", "https://localhost.evil.example", "file://", "http://",
                             "chrome-extension://abcdef", "http://localhost@evil.example", "localhost"})
    EXPECT_EQ(status_for("localhost:8000", origin), 403U) << origin;
  EXPECT_EQ(status_for("sandbox.example", "http://sandbox.example"), 403U);
  EXPECT_EQ(status_for("sandbox.example", "http://localhost"), 403U);
  EXPECT_EQ(status_for("", "http://localhost"), 403U);
}

}  // namespace
}  // namespace progtc::bridge::http
