#include "cli/callers_view.h"

#include <dirent.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <memory>

#include "cli/run_options.h"

namespace progtc::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxNames = 2048;  // a millisecond at the most
constexpr std::size_t kMaxWords = 64;

ListedDirectory list(const std::string& path) {
  ListedDirectory listed;
  listed.path = path;
  std::error_code failed;
  listed.real = fs::canonical(path, failed).string();
  if (failed) listed.real = path;
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(path.c_str()), ::closedir);
  if (!directory) return listed;
  while (const dirent* entry = ::readdir(directory.get())) {
    const std::string name = entry->d_name;
    if (name == "." || name == "..") continue;
    if (listed.names.size() == kMaxNames) break;
    listed.names.push_back(name);
  }
  return listed;
}

}  // namespace

bool ListedDirectory::has(const std::string& name) const {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool CallersView::shows_host_file(const std::string& real) const {
  return std::any_of(plan.binds.begin(), plan.binds.end(), [&](const runner::PlannedBind& bind) {
    return real.starts_with(bind.source) && (real.size() == bind.source.size() || real[bind.source.size()] == '/');
  });
}

CallersView look_around(const Work& work) {
  CallersView view;
  view.active_environment = active_virtual_environment();
  std::error_code failed;
  view.working = list(fs::current_path(failed).string());
  if (!work.script_dir.empty() && work.script_dir != view.working.path) view.script = list(work.script_dir);
  if (work.job.mode == runner::Job::Mode::kModule) view.module = work.job.module;
  const auto& argv = work.job.argv;
  for (std::size_t i = 1; i < argv.size() && view.words.size() < kMaxWords; ++i) view.words.push_back(argv[i]);
  for (const std::string& word : view.words) {
    // "--input=/data/x" names a file as well.
    const auto equals = word.starts_with('-') ? word.find('=') : std::string::npos;
    const std::string path = equals == std::string::npos ? word : word.substr(equals + 1);
    struct stat info {};
    if (path.starts_with('/') && ::lstat(path.c_str(), &info) == 0)
      view.existing.push_back(fs::path(path).lexically_normal().string());
  }
  return view;
}

}  // namespace progtc::cli
