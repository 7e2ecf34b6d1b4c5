#include "bridge/http/request_parser.h"

#include <string>
#include <string_view>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace progtc::bridge::http {
namespace {

using std::string_view_literals::operator""sv;

// What has come of a connection's bytes, given to the parser `step` at a time as a connection does.
struct Parsed {
  std::unique_ptr<RequestParser> parser;
  std::string left;
};

Parsed parse(std::string_view bytes, std::size_t step = 1U << 20U, std::size_t header_bytes = 1024,
             std::uint64_t body_bytes = 100) {
  Parsed parsed{std::make_unique<RequestParser>(header_bytes, body_bytes), {}};
  for (std::size_t at = 0; at < bytes.size(); at += step) {
    parsed.left += bytes.substr(at, step);
    for (int part = 0; part < 2; ++part) {  // the header, then the body
      if (parsed.parser->failure() || parsed.parser->is_complete()) break;
      parsed.left.erase(0, parsed.parser->put(parsed.left));
    }
  }
  return parsed;
}

unsigned status_of(std::string_view bytes) {
  const Parsed whole = parse(bytes);
  const Parsed dribbled = parse(bytes, 1);
  EXPECT_EQ(whole.parser->failure().has_value(), dribbled.parser->failure().has_value()) << bytes;
  if (!whole.parser->failure()) return 0;
  EXPECT_EQ(whole.parser->failure()->status, dribbled.parser->failure()->status) << bytes;
  return whole.parser->failure()->status;
}

TEST(HttpRequestParserTest, ReadsARequestHoweverItIsCut) {
  const std::string_view bytes =
      "POST /a%20b?x=1&y=?2 HTTP/1.1\r\nHost: localhost\r\nX-Thing:  some value \r\ncontent-length: 5\r\n\r\nhelloGET "
      "/";
  for (std::size_t step = 1; step <= bytes.size(); ++step) {
    Parsed parsed = parse(bytes, step);
    ASSERT_TRUE(parsed.parser->is_complete()) << step;
    EXPECT_FALSE(parsed.parser->failure());
    const Request& request = parsed.parser->request();
    EXPECT_EQ(request.method, "POST");
    EXPECT_EQ(request.path, "/a%20b");
    EXPECT_EQ(request.query, "x=1&y=?2");
    EXPECT_EQ(request.header("x-THING"), "some value");
    EXPECT_EQ(request.header("absent"), std::nullopt);
    EXPECT_EQ(request.body, "hello");
    EXPECT_EQ(parsed.left, "GET /");
    EXPECT_TRUE(parsed.parser->is_http11());
    EXPECT_TRUE(parsed.parser->wants_keep_alive());
  }
}

TEST(HttpRequestParserTest, ReadsAChunkedBodyHoweverItIsCut) {
  const std::string_view bytes =
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n"
      "3;note=\"x\"\r\nabc\r\n0A\r\n0123456789\r\n0\r\nHost: evil\r\nX-Late: 1\r\n\r\nnext";
  for (std::size_t step = 1; step <= bytes.size(); ++step) {
    Parsed parsed = parse(bytes, step);
    ASSERT_TRUE(parsed.parser->is_complete()) << step;
    EXPECT_EQ(parsed.parser->request().body, "abc0123456789");
    EXPECT_EQ(parsed.left, "next");
    EXPECT_EQ(parsed.parser->request().header("X-Late"), std::nullopt);  // trailers are dropped
    EXPECT_EQ(parsed.parser->request().headers.count("host"), 1U);
  }
}

TEST(HttpRequestParserTest, ReadsAnEmptyChunkedBodyHoweverItIsCut) {
  const std::string_view bytes = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
  for (std::size_t step = 1; step <= bytes.size(); ++step) EXPECT_TRUE(parse(bytes, step).parser->is_complete());
}

TEST(HttpRequestParserTest, RefusesWhatTwoServersMayReadDifferently) {
  const std::string start = "POST / HTTP/1.1\r\nHost: a\r\n";
  for (const std::string fields : {
           "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
           "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
           "Content-Length: 5\r\nContent-Length: 5\r\n",
           "Content-Length: 5\r\nContent-Length: 6\r\n",
           "Content-Length: 5, 5\r\n",
           "Content-Length: +5\r\n",
           "Content-Length: -5\r\n",
           "Content-Length: 0x5\r\n",
           "Content-Length:\r\n",
           "Content-Length: 99999999999999999999999\r\n",
           "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
           "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n",
           "Transfer-Encoding : chunked\r\n",
           "Host: b\r\n",
           "Authorization: Bearer a\r\nAuthorization: Bearer b\r\n",
           "X: a\nContent-Length: 5\r\n",
           "X: a\rb\r\n",
           "NoColon\r\n",
           ": empty name\r\n",
       }) {
    EXPECT_EQ(status_of(start + fields + "\r\nhello"), 400U) << fields;
  }
  EXPECT_EQ(status_of("GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n"sv), 400U);
  EXPECT_EQ(status_of("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), 400U);
  for (const std::string coding : {"gzip", "gzip, chunked", "chunked, gzip", "chunked, chunked", "xchunked"})
    EXPECT_EQ(status_of(start + "Transfer-Encoding: " + coding + "\r\n\r\n0\r\n\r\n"), 501U) << coding;
  EXPECT_EQ(status_of(start + "Content-Length: 5\r\n\r\nhello"), 0U);  // the twin
}

TEST(HttpRequestParserTest, RefusesMalformedRequestLines) {
  for (const std::string line : {"GET", "GET /", "GET  / HTTP/1.1", "GET / HTTP/1.1 ", "GE T / HTTP/1.1", "/ HTTP/1.1",
                                 "GET / HTTX/1.1", "GET / HTTP/11", "GET x HTTP/1.1", "CONNECT a:80 HTTP/1.1",
                                 "GET http:///x HTTP/1.1", "\x16\x03\x01\x02", "G\"T / HTTP/1.1"})
    EXPECT_EQ(status_of(line + "\r\nHost: a\r\n\r\n"), 400U) << line;
  for (const std::string version : {"HTTP/2.0", "HTTP/1.2", "HTTP/0.9", "HTTP/3.0"})
    EXPECT_EQ(status_of("GET / " + version + "\r\nHost: a\r\n\r\n"), 505U) << version;
  EXPECT_EQ(status_of("GET / HTTP/1.1\r\n\r\n"), 400U);  // no Host
  EXPECT_EQ(status_of("GET / HTTP/1.0\r\n\r\n"), 0U);
}

TEST(HttpRequestParserTest, ReadsTargetsInEveryForm) {
  Parsed absolute = parse("GET http://Example.org:80?q HTTP/1.1\r\nHost: example.org:80\r\n\r\n");
  ASSERT_TRUE(absolute.parser->is_complete());
  EXPECT_EQ(absolute.parser->request().path, "/");
  EXPECT_EQ(absolute.parser->request().query, "q");
  EXPECT_EQ(status_of("GET http://example.org/ HTTP/1.1\r\nHost: localhost\r\n\r\n"), 400U);
  Parsed star = parse("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(star.parser->request().path, "*");
}

TEST(HttpRequestParserTest, HoldsTheHeaderToItsLimit) {
  const auto request = [](std::size_t header_bytes) {
    const std::string start = "GET / HTTP/1.1\r\nHost: a\r\nX: ";
    return start + std::string(header_bytes - start.size() - 4, 'x') + "\r\n\r\n";
  };
  EXPECT_EQ(request(1024).size(), 1024U);
  EXPECT_EQ(status_of(request(1024)), 0U);
  EXPECT_EQ(status_of(request(1025)), 431U);
  EXPECT_EQ(status_of("GET /" + std::string(2000, 'x')), 431U);  // without waiting for its end
  // Beast's own limit does not see fields that come one by one.
  std::string fields = "GET / HTTP/1.1\r\nHost: a\r\n";
  while (fields.size() < 3000) fields += "A: b\r\n";
  EXPECT_EQ(status_of(fields), 431U);
  std::string many = "GET / HTTP/1.1\r\nHost: a\r\n";
  for (int i = 0; i < 128; ++i) many += "A:\r\n";
  EXPECT_EQ(status_of(many + "\r\n"), 431U);
}

TEST(HttpRequestParserTest, HoldsTheBodyToItsLimit) {
  const std::string start = "POST / HTTP/1.1\r\nHost: a\r\n";
  EXPECT_EQ(status_of(start + "Content-Length: 100\r\n\r\n" + std::string(100, 'x')), 0U);
  const Parsed announced = parse(start + "Content-Length: 101\r\n\r\n");
  ASSERT_TRUE(announced.parser->failure());
  EXPECT_EQ(announced.parser->failure()->status, 413U);
  EXPECT_EQ(announced.parser->failure()->detail, "request body too large: more than 100 bytes");
  const std::string chunked = start + "Transfer-Encoding: chunked\r\n\r\n";
  EXPECT_EQ(
      status_of(chunked + "32\r\n" + std::string(50, 'x') + "\r\n32\r\n" + std::string(50, 'x') + "\r\n0\r\n\r\n"), 0U);
  EXPECT_EQ(status_of(chunked + "32\r\n" + std::string(50, 'x') + "\r\n33\r\n" + std::string(51, 'x')), 413U);
  EXPECT_EQ(status_of(chunked + "FFFFFFFFFFFFFFFF\r\nx"), 413U);
  EXPECT_EQ(status_of(chunked + "FFFFFFFFFFFFFFFFF\r\nx"), 400U);
}

TEST(HttpRequestParserTest, HoldsWhatStandsAroundChunksToALimit) {
  const std::string start = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  EXPECT_EQ(status_of(start + "1;" + std::string(1100, 'x')), 431U);
  EXPECT_EQ(status_of(start + "0\r\nX: " + std::string(1100, 'x')), 431U);
  std::string extended = start;
  for (int i = 0; i < 60; ++i) extended += "1;" + std::string(40, 'x') + "\r\na\r\n";
  EXPECT_EQ(status_of(extended), 400U);
  for (const std::string chunk :
       {"x\r\n", "\r\n\r\n", "5 5\r\nhello", "5\nhello\r\n", "3\r\nabcd\r\n", "-1\r\n\r\n\r\n"})
    EXPECT_EQ(status_of(start + chunk + "0\r\n\r\n"), 400U) << chunk;
}

TEST(HttpRequestParserTest, KnowsExpectations) {
  const std::string start = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n";
  EXPECT_TRUE(parse(start + "Expect: 100-Continue\r\n\r\n").parser->expects_continue());
  EXPECT_FALSE(parse(start + "\r\n").parser->expects_continue());
  EXPECT_EQ(status_of(start + "Expect: a-pony\r\n\r\n"), 417U);
  EXPECT_FALSE(
      parse("POST / HTTP/1.0\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n").parser->expects_continue());
}

TEST(HttpRequestParserTest, KnowsWhetherTheConnectionIsKept) {
  const auto keeps = [](std::string_view bytes) { return parse(bytes).parser->wants_keep_alive(); };
  EXPECT_TRUE(keeps("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
  EXPECT_FALSE(keeps("GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n\r\n"));
  EXPECT_FALSE(keeps("GET / HTTP/1.0\r\n\r\n"));
  EXPECT_TRUE(keeps("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
}

TEST(HttpMessageTest, ErrorsHaveTheShapeOfFastApi) {
  const Response response = error_response(404, "no \"such\"\n\xFFthing");
  EXPECT_EQ(response.status, 404U);
  EXPECT_EQ(response.content_type, "application/json");
  EXPECT_EQ(response.body, "{\"detail\": \"no \\\"such\\\"\\n\xEF\xBF\xBDthing\"}");
}

}  // namespace
}  // namespace progtc::bridge::http
