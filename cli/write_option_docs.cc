// Run by the build: writes the manual pages and the shell completion of both programs below the directory it is given.
#include <cstdio>
#include <string>

#include "cli/option_docs.h"
#include "cli/progtc_options.h"
#include "cli/run_options.h"
#include "runner/sys/file.h"

namespace progtc::cli {
namespace {

Result<void> write(const std::string& directory, const std::string& name, const std::string& text) {
  PROGTC_CHECK(sys::make_directories(directory, 0755));
  return sys::write_file_atomically(directory + "/" + name, text, 0644);
}

Result<void> write_all(const std::string& share, const CLI::App& app, const ManualText& manual) {
  const std::string& name = app.get_name();
  PROGTC_CHECK(write(share + "/man/man1", name + ".1", manual_page(app, manual)));
  PROGTC_CHECK(write(share + "/bash-completion/completions", name, bash_completion(app)));
  return write(share + "/zsh/site-functions", "_" + name, zsh_completion(app));
}

Result<void> write_both(const std::string& share) {
  CLI::App run("", "progtc-run");
  RunOptions run_options;
  describe_run_program(run);
  define_run_options(run, run_options);
  PROGTC_CHECK(write_all(share, run, progtc_run_manual()));
  CLI::App progtc("", "progtc");
  ProgtcOptions options;
  define_progtc(progtc, options);
  return write_all(share, progtc, progtc_manual());
}

}  // namespace
}  // namespace progtc::cli

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const auto written = progtc::cli::write_both(argv[1]);
  if (!written) (void)std::fprintf(stderr, "%s\n", written.error().context.c_str());
  return written ? 0 : 1;
}
