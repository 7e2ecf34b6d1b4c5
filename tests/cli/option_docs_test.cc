#include "cli/option_docs.h"

#include "cli/progtc_options.h"
#include "tests/cli/support.h"

namespace progtc::cli {
namespace {

class OptionDocsTest : public testing::Test {
 protected:
  OptionDocsTest() : run_("", "progtc-run"), progtc_("", "progtc") {
    describe_run_program(run_);
    define_run_options(run_, run_options_);
    define_progtc(progtc_, options_);
  }
  // Every name of an option in `app` and below, as typed.
  static std::vector<std::string> names(const CLI::App& app) {
    std::vector<std::string> all;
    for (const CLI::Option* option : app.get_options()) {
      for (const std::string& name : option->get_snames()) all.push_back("-" + name);
      for (const std::string& name : option->get_lnames()) all.push_back("--" + name);
    }
    for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; }))
      for (const std::string& name : names(*command)) all.push_back(name);
    return all;
  }
  static std::string in_roff(const std::string& name) {
    std::string roff;
    for (const char c : name) roff += c == '-' ? std::string("\\-") : std::string(1, c);
    return "\\fB" + roff + "\\fR";
  }

  RunOptions run_options_;
  ProgtcOptions options_;
  CLI::App run_;
  CLI::App progtc_;
};

TEST_F(OptionDocsTest, EveryOptionIsInTheManual) {
  for (const CLI::App* app : {&run_, &progtc_}) {
    const std::string page = manual_page(*app, app == &run_ ? progtc_run_manual() : progtc_manual());
    ASSERT_GE(names(*app).size(), 6U);
    for (const std::string& name : names(*app)) EXPECT_NE(page.find(in_roff(name)), std::string::npos) << name;
    for (const char* section :
         {".TH ", ".SH NAME", ".SH SYNOPSIS", ".SH DESCRIPTION", ".SH OPTIONS", ".SH EXIT STATUS", ".SH SEE ALSO"})
      EXPECT_NE(page.find(section), std::string::npos) << section;
  }
}
TEST_F(OptionDocsTest, EveryOptionIsCompleted) {
  for (const CLI::App* app : {&run_, &progtc_}) {
    const std::string bash = bash_completion(*app);
    const std::string zsh = zsh_completion(*app);
    for (const std::string& name : names(*app)) {
      EXPECT_TRUE(bash.find(" " + name + " ") != std::string::npos ||
                  bash.find(" " + name + "'") != std::string::npos ||
                  bash.find("'" + name + " ") != std::string::npos || bash.find("'" + name + "'") != std::string::npos)
          << name;
      EXPECT_NE(zsh.find(name), std::string::npos) << name;
    }
  }
}
TEST_F(OptionDocsTest, EveryCommandIsThere) {
  const std::string page = manual_page(progtc_, progtc_manual());
  const std::string bash = bash_completion(progtc_);
  const std::string zsh = zsh_completion(progtc_);
  for (const char* words :
       {"progtc policy list", "progtc policy show", "progtc policy check", "progtc policy explain",
        "progtc policy learn", "progtc tools list", "progtc tools check", "progtc tools call", "progtc doctor"}) {
    EXPECT_NE(page.find(std::string(".SS ") + words + "\n"), std::string::npos) << words;
    EXPECT_NE(bash.find(std::string("'") + words + "')"), std::string::npos) << words;
    std::string function = std::string("_") + words;
    std::replace(function.begin(), function.end(), ' ', '_');
    EXPECT_NE(zsh.find(function + "() {\n"), std::string::npos) << words;
  }
}
TEST_F(OptionDocsTest, BashCompletesInContext) {
  const TemporaryDirectory here;
  here.write("completion", bash_completion(progtc_) + bash_completion(run_));
  here.write("script.py", "");
  const auto complete = [&](const std::string& words) {
    const auto end = run_program(
        {"/bin/bash", "-c",
         ". ./completion; COMP_WORDS=(" + words + "); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); " +
             (words.starts_with("progtc-run") ? "_progtc_run" : "_progtc") + "; printf '%s ' \"${COMPREPLY[@]}\""});
    return end.out;
  };
  EXPECT_EQ(complete("progtc ''"), "policy tools doctor serve ");
  EXPECT_EQ(complete("progtc policy l"), "list learn ");
  EXPECT_EQ(complete("progtc doctor --j"), "--json ");
  EXPECT_EQ(complete("progtc-run --policy st"), "strict standard ");
  EXPECT_EQ(complete("progtc-run --policy = st"), "strict standard ");
  EXPECT_EQ(complete("progtc-run --pol"), "--policy ");
  EXPECT_EQ(complete("progtc-run scr"), "script.py ");
}

}  // namespace
}  // namespace progtc::cli
