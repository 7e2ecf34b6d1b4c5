#pragma once
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace progtc::cli {

// A directory that is gone, with what is in it, when the test ends. The working directory while it exists.
class TemporaryDirectory {
 public:
  TemporaryDirectory() : before_(std::filesystem::current_path()) {
    std::string name = (std::filesystem::temp_directory_path() / "progtc-test-XXXXXX").string();
    if (!::mkdtemp(name.data())) std::abort();
    path_ = name;
    std::filesystem::current_path(path_);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::current_path(before_, ignored);
    std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  std::string write(const std::string& name, const std::string& text) const {
    const auto file = std::filesystem::path(path_) / name;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << text;
    return file.string();
  }

 private:
  std::filesystem::path before_;
  std::string path_;
};

inline std::string read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

struct ProgramEnd {
  pid_t pid = -1;  // and its process group: whatever of that is left after the end was forgotten
  int status = -1;
  std::string out;
  std::string err;
};

// Runs a program to its end, with `input` as its stdin.
inline ProgramEnd run_program(const std::vector<std::string>& words, const std::string& input = "") {
  std::array<std::string, 3> names;
  std::array<int, 3> fds{};
  for (std::size_t i = 0; i < names.size(); ++i) {
    names[i] = (std::filesystem::temp_directory_path() / "progtc-stream-XXXXXX").string();
    fds[i] = ::mkostemp(names[i].data(), O_CLOEXEC);
  }
  (void)!::write(fds[0], input.data(), input.size());
  (void)::lseek(fds[0], 0, SEEK_SET);
  std::vector<char*> argv;
  argv.reserve(words.size() + 1);
  for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::setpgid(0, 0);
    for (int i = 0; i < 3; ++i) ::dup2(fds[static_cast<std::size_t>(i)], i);
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }
  ProgramEnd end;
  end.pid = pid;
  int status = 0;
  while (::waitpid(pid, &status, 0) == -1 && errno == EINTR) {
  }
  end.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  end.out = read_text(names[1]);
  end.err = read_text(names[2]);
  for (std::size_t i = 0; i < names.size(); ++i) {
    ::close(fds[i]);
    std::filesystem::remove(names[i]);
  }
  return end;
}

}  // namespace progtc::cli
