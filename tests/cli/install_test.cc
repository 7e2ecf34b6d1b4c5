// Installs into a directory of its own and uses what is there.
#include <cstdlib>

#include "tests/cli/support.h"

namespace progtc::cli {
namespace {

namespace fs = std::filesystem;

TEST(InstallTest, WhatIsInstalledRuns) {
  const TemporaryDirectory here;
  ::setenv("DESTDIR", (here.path() + "/stage").c_str(), 1);
  const auto installed = run_program({PROGTC_CMAKE, "--install", PROGTC_BUILD_DIR, "--prefix", "/opt/progtc"});
  ::unsetenv("DESTDIR");
  ASSERT_EQ(installed.status, 0) << installed.err;
  const std::string prefix = here.path() + "/stage/opt/progtc";
  for (const char* file :
       {"bin/progtc-run", "bin/progtc", "lib/progtc/guest/_progtc.abi3.so", "lib/progtc/guest/progtc_guest/runtime.py",
        "share/progtc/policies/strict.json", "share/progtc/policies/schema.json", "share/progtc/apparmor/progtc-run",
        "share/man/man1/progtc-run.1", "share/man/man1/progtc.1", "share/bash-completion/completions/progtc-run",
        "share/bash-completion/completions/progtc", "share/zsh/site-functions/_progtc-run",
        "share/zsh/site-functions/_progtc", "lib/systemd/system/progtc.service", "lib/systemd/system/progtc.socket",
        "lib/systemd/user/progtc.service", "lib/systemd/user/progtc.socket"})
    EXPECT_TRUE(fs::exists(prefix + "/" + file)) << file;
  bool has_byte_code = false;
  for (const auto& entry : fs::directory_iterator(prefix + "/lib/progtc/guest/progtc_guest/__pycache__"))
    has_byte_code = has_byte_code || entry.path().extension() == ".pyc";
  EXPECT_TRUE(has_byte_code);

  EXPECT_EQ(run_program({prefix + "/bin/progtc", "policy", "check", prefix + "/share/progtc/policies/ci.json"}).status,
            0);
  if (run_program({PROGTC_BIN_DIR "/progtc-run", "-c", "pass"}).status != 0) {
    if (std::getenv("PROGTC_REQUIRE_SANDBOX")) FAIL() << "no sandbox here, and PROGTC_REQUIRE_SANDBOX is set";
    GTEST_SKIP() << "no sandbox can be made here; progtc doctor says why";
  }
  const auto ran = run_program({prefix + "/bin/progtc-run", "-c", "print(6 * 7)"});
  EXPECT_EQ(ran.status, 0) << ran.err;
  EXPECT_EQ(ran.out, "42\n");
}

}  // namespace
}  // namespace progtc::cli
