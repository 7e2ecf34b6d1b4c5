#include "cli/script.h"

#include "cli/work.h"
#include "tests/cli/support.h"

namespace progtc::cli {
namespace {

TEST(ScriptTest, Utf8IsTakenAsItIs) {
  const TemporaryDirectory here;
  here.write("a.py", "print('größe')\n");
  EXPECT_EQ(read_script("a.py")->code, "print('größe')\n");
}
TEST(ScriptTest, AnEmptyScriptIsAScript) {
  const TemporaryDirectory here;
  here.write("a.py", "");
  const auto script = read_script("a.py");
  ASSERT_TRUE(script);
  EXPECT_EQ(script->code, "");
  EXPECT_EQ(script->code_base64, "");
}
TEST(ScriptTest, AnotherEncodingTravelsAsBytes) {
  const TemporaryDirectory here;
  here.write("a.py", "#!/usr/bin/python3\n# -*- coding: latin-1 -*-\nprint('\xE9')\n");
  const auto script = read_script("a.py");
  ASSERT_TRUE(script) << script.error().context;
  EXPECT_EQ(script->code, "");
  EXPECT_EQ(script->code_base64, "IyEvdXNyL2Jpbi9weXRob24zCiMgLSotIGNvZGluZzogbGF0aW4tMSAtKi0KcHJpbnQoJ+knKQo=");
}
TEST(ScriptTest, OddBytesWithoutACodingLineAreNamed) {
  const TemporaryDirectory here;
  here.write("a.py", "x = 1\ny = '\xE9'\n# coding: latin-1\n");
  const auto script = read_script("a.py");
  ASSERT_FALSE(script);
  EXPECT_EQ(script.error().context,
            "'a.py' is not UTF-8 at byte 11, line 2, and has no coding line: Invalid or incomplete multibyte or wide "
            "character");
}
TEST(ScriptTest, WhatCannotBeReadDecidesTheExitStatus) {
  const TemporaryDirectory here;
  std::filesystem::create_directory("d");
  const auto status = [](const std::string& name) {
    RunOptions options;
    options.rest = {name};
    const auto work = find_work(options);
    return work ? 0 : exit_status_of(work.error());
  };
  EXPECT_EQ(status("missing.py"), 127);
  EXPECT_EQ(status("d"), 126);
  here.write("latin.py", "'\xE9'");
  EXPECT_EQ(status("latin.py"), 126);
  RunOptions nothing;
  const auto work = find_work(nothing);
  ASSERT_FALSE(work);
  EXPECT_EQ(exit_status_of(work.error()), 125);
  EXPECT_EQ(work.error().context,
            "nothing to run: give a SCRIPT, -c CODE, -m MODULE, or - for a script on stdin (--help lists the options)");
}
TEST(ScriptTest, ADirectoryIsNamed) {
  const TemporaryDirectory here;
  EXPECT_EQ(read_script(".").error().context, "'.': Is a directory");
}

TEST(WorkTest, ArgumentsAreWhatPythonWouldPass) {
  const TemporaryDirectory here;
  here.write("a.py", "pass");
  RunOptions options;
  options.rest = {"--", "a.py", "--", "-v"};
  EXPECT_EQ(find_work(options)->job.argv, (std::vector<std::string>{"a.py", "--", "-v"}));
  options.rest = {"--", "x"};
  options.code = "pass";
  EXPECT_EQ(find_work(options)->job.argv, (std::vector<std::string>{"-c", "--", "x"}));
}

}  // namespace
}  // namespace progtc::cli
