#include "cli/script.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <string_view>

#include "bridge/utf8.h"
#include "runner/sys/file.h"

namespace progtc::cli {
namespace {

constexpr std::size_t kMaxScriptBytes = 16 << 20;  // the default cap on one frame of the channel

// PEP 263: a comment in one of the first two lines with "coding:" or "coding=".
bool has_coding_line(std::string_view text) {
  for (int line = 0; line < 2 && !text.empty(); ++line) {
    const auto end = text.find('\n');
    const std::string_view first = text.substr(0, end);
    const auto start = first.find_first_not_of(" \t\f");
    if (start != std::string_view::npos && first[start] == '#') {
      const auto coding = first.find("coding", start);
      if (coding != std::string_view::npos && coding + 6 < first.size() &&
          (first[coding + 6] == ':' || first[coding + 6] == '='))
        return true;
    }
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return false;
}

std::string to_base64(std::string_view bytes) {
  constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const auto at = [&](std::size_t j) { return j < bytes.size() ? static_cast<unsigned char>(bytes[j]) : 0U; };
    const unsigned group = at(i) << 16 | at(i + 1) << 8 | at(i + 2);
    text += kDigits[group >> 18];
    text += kDigits[group >> 12 & 63];
    text += i + 1 < bytes.size() ? kDigits[group >> 6 & 63] : '=';
    text += i + 2 < bytes.size() ? kDigits[group & 63] : '=';
  }
  return text;
}

}  // namespace

bool is_runnable_package(const std::string& path) {
  for (const char* name : {"/__main__.py", "/__main__.pyc"})
    if (::access((path + name).c_str(), F_OK) == 0) return true;
  const sys::UniqueFd file(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  struct stat info {};
  if (!file || ::fstat(file.get(), &info) == -1 || !S_ISREG(info.st_mode)) return false;
  // An archive ends with a record that begins so (APPNOTE.TXT 4.3.16); a comment behind it is not looked for.
  constexpr std::string_view kEnd("PK\5\6", 4);
  constexpr off_t kEndBytes = 22;
  char begin[kEnd.size()] = {};
  return info.st_size >= kEndBytes &&
         ::pread(file.get(), begin, sizeof begin, info.st_size - kEndBytes) == static_cast<ssize_t>(sizeof begin) &&
         std::string_view(begin, sizeof begin) == kEnd;
}

Result<Script> read_script(const std::string& path) {
  const std::string name = path == "-" ? "<stdin>" : path;
  sys::UniqueFd file;
  int fd = STDIN_FILENO;
  if (path != "-") {
    PROGTC_TRY(file, sys::openat(AT_FDCWD, path.c_str(), O_RDONLY | O_NONBLOCK));
    fd = file.get();
    struct stat info {};
    if (::fstat(fd, &info) == 0 && S_ISDIR(info.st_mode)) return from_errno(EISDIR, "'" + path + "'");
  }
  auto text = sys::read_all(fd, kMaxScriptBytes);
  if (!text) return with_context("'" + name + "'", text.error());
  Script script;
  if (bridge::is_utf8(*text)) {
    script.code = std::move(*text);
    return script;
  }
  if (has_coding_line(*text)) {
    script.code_base64 = to_base64(*text);
    return script;
  }
  std::string_view rest = *text;
  while (const std::size_t length = bridge::utf8_sequence_length(rest)) rest.remove_prefix(length);
  const auto at = text->size() - rest.size();
  const auto line = 1 + std::count(text->begin(), text->begin() + static_cast<std::ptrdiff_t>(at), '\n');
  return from_errno(EILSEQ, "'" + name + "' is not UTF-8 at byte " + std::to_string(at) + ", line " +
                                std::to_string(line) + ", and has no coding line");
}

}  // namespace progtc::cli
