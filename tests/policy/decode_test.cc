#include "policy/decode.h"

#include <gtest/gtest.h>

#include "tests/policy/support.h"

namespace progtc::policy {
namespace {

TEST(DecodeTest, AnEmptyFileIsTheClosedPolicy) {
  Policy closed;
  closed.name = "policies/x.json";
  const auto policy = decode("{}");
  ASSERT_TRUE(policy) << policy.error().context;
  EXPECT_EQ(*policy, closed);
}

TEST(DecodeTest, ReadsEverySection) {
  const auto policy = decode(R"({
    // comments and trailing commas are fine
    "$schema": "schema.json", "description": "d",
    "filesystem": {"reason": "r", "ro": ["@python", "/opt/data/", "/a:/b"], "rw": ["/w:/out/w"],
                   "tmp": {"size": "64MiB", "inodes": 4096}},
    "network": {"mode": "loopback", "reason": "r"},
    "syscalls": {"reason": "r", "groups": ["memory"], "allow": ["kcmp"], "deny": ["mlockall"],
                 "rules": [{"call": "ioctl", "argument": 1, "mask": "0xffffffff", "values": [21505, "0x5413"]}]},
    "limits": {"reason": "r", "wall": "1m", "cpu": 20, "cpus": 0.5, "memory": "1.5GiB", "swap": 0, "processes": 8,
               "open_files": 100, "file_size": 4096, "output": "1K", "frame": "8KiB"},
    "python": {"reason": "r", "interpreter": "/usr/bin/python3", "venv": "/venv", "preload": ["json", "xml.dom"],
               "site": "system", "fresh": true},
    "env": {"reason": "r", "pass": ["LANG"], "set": {"A": "b"}},
    "tools": {"reason": "r", "allow": ["read_*"], "calls": 5, "pending": 2, "timeout": "1s",
              "per_tool": {"nmap": {"calls": 1, "timeout": "60s"}}},
  })");
  ASSERT_TRUE(policy) << policy.error().context;
  Policy expected;
  expected.name = "policies/x.json";
  expected.description = "d";
  expected.filesystem.binds = {{.source = "@python", .target = ""},
                               {.source = "/opt/data", .target = ""},
                               {.source = "/a", .target = "/b"},
                               {.source = "/w", .target = "/out/w", .is_writable = true}};
  expected.filesystem.tmp = {.size_bytes = 64ULL << 20, .inodes = 4096};
  expected.network = NetworkMode::kLoopback;
  expected.syscalls = {.groups = {"memory"},
                       .allow = {"kcmp"},
                       .deny = {"mlockall"},
                       .rules = {{"ioctl", 1, 0xffffffff, {0x5401, 0x5413}}}};
  expected.limits = {.wall = std::chrono::minutes(1),
                     .cpu = std::chrono::seconds(20),
                     .cpus = 0.5,
                     .memory_bytes = 3ULL << 29,
                     .processes = 8,
                     .open_files = 100,
                     .file_size_bytes = 4096,
                     .output_bytes = 1024,
                     .frame_bytes = 8192};
  expected.python = {.interpreter = "/usr/bin/python3",
                     .venv = "/venv",
                     .preload = {"json", "xml.dom"},
                     .site = SitePackages::kSystem,
                     .is_fresh = true};
  expected.env = {.pass = {"LANG"}, .set = {{"A", "b"}}};
  expected.tools = {.allow = {"read_*"},
                    .calls = 5,
                    .pending = 2,
                    .timeout = std::chrono::seconds(1),
                    .per_tool = {{"nmap", {.calls = 1, .timeout = std::chrono::seconds(60)}}}};
  EXPECT_EQ(*policy, expected) << to_json(*policy);
}

struct Refusal {
  const char* text;
  const char* message;
};
class DecodeRefusalTest : public testing::TestWithParam<Refusal> {};
TEST_P(DecodeRefusalTest, SaysWhy) {
  EXPECT_EQ(message(GetParam().text), std::string("policies/x.json") + GetParam().message);
}

INSTANTIATE_TEST_SUITE_P(
    Limits, DecodeRefusalTest,
    testing::Values(
        Refusal{R"({"limits": {"memory": -1}})", R"(: $.limits.memory: expected a size such as "256MiB", got -1)"},
        Refusal{R"({"limits": {"memory": 1e99}})", R"(: $.limits.memory: expected a size of at most 8PiB, got 1e99)"},
        Refusal{R"({"limits": {"memory": "4KiB"}})", R"(: $.limits.memory: expected a size in 8MiB..1PiB, got "4KiB")"},
        Refusal{R"({"limits": {"memory": true}})", R"(: $.limits.memory: expected a size such as "256MiB", got true)"},
        Refusal{R"({"limits": {"memory": null}})", R"(: $.limits.memory: expected a size such as "256MiB", got null)"},
        Refusal{R"({"limits": {"memory": "lots"}})",
                R"(: $.limits.memory: expected a size such as "256MiB", got "lots")"},
        Refusal{R"({"limits": {"wall": "31d"}})", R"(: $.limits.wall: expected a time of at most 30d, got "31d")"},
        Refusal{R"({"limits": {"wall": 0}})", R"(: $.limits.wall: expected a time in 1ms..30d, got 0)"},
        Refusal{R"({"limits": {"cpus": 0}})", R"(: $.limits.cpus: expected a number in 0.01..1024, got 0)"},
        Refusal{R"({"limits": {"cpus": 0e70}})", R"(: $.limits.cpus: expected a number in 0.01..1024, got 0.0)"},
        Refusal{R"({"limits": {"cpus": "2"}})", R"(: $.limits.cpus: expected a number, got "2")"},
        Refusal{R"({"limits": {"processes": 1.5}})",
                R"(: $.limits.processes: expected a whole number in 1..1048576, got 1.5)"},
        Refusal{R"({"limits": {"processes": 0}})",
                R"(: $.limits.processes: expected a whole number in 1..1048576, got 0)"},
        Refusal{R"({"limits": {"swap": 1}})", R"(: $.limits.swap: expected 0: a sandbox never swaps, got 1)"},
        Refusal{R"({"limits": {"memroy": 1}})", R"(: $.limits: unknown key "memroy"; did you mean "memory"?)"},
        Refusal{R"({"limits": {"wall": 1, "wall": 2}})", R"(: $.limits: the key "wall" occurs twice)"},
        Refusal{R"({"limits": []})", R"(: $.limits: expected an object, got an array)"},
        Refusal{R"({"limits": {"wall": "1h", "reason": ""}})", R"(: $.limits.reason: expected a sentence, got "")"}));

INSTANTIATE_TEST_SUITE_P(
    Filesystem, DecodeRefusalTest,
    testing::Values(
        Refusal{
            R"({"filesystem": {"ro": ["data"]}})",
            R"(: $.filesystem.ro[0]: expected an absolute path, "SRC:DST" or a name such as "@python", got "data")"},
        Refusal{R"({"filesystem": {"ro": ["/a/../b"]}})", R"(: $.filesystem.ro[0]: the path may not contain "..")"},
        Refusal{R"({"filesystem": {"rw": ["/"]}})",
                R"(: $.filesystem.rw[0]: the host's "/" cannot be writable; name the directory that has to be)"},
        Refusal{R"({"filesystem": {"rw": ["//:/x"]}})",
                R"(: $.filesystem.rw[0]: the host's "/" cannot be writable; name the directory that has to be)"},
        Refusal{R"({"filesystem": {"ro": ["/"]}})",
                R"(: $.filesystem.ro[0]: "/" cannot be a target: the root is the sandbox's own)"},
        Refusal{R"({"filesystem": {"ro": ["/x:/proc/self"]}})",
                R"(: $.filesystem.ro[0]: "/proc/self" cannot be a target: /proc is the sandbox's own)"},
        Refusal{R"({"filesystem": {"rw": ["/dev"]}})",
                R"(: $.filesystem.rw[0]: "/dev" cannot be a target: /dev is the sandbox's own)"},
        Refusal{
            R"({"filesystem": {"rw": ["/tmp"]}})",
            R"(: $.filesystem.rw[0]: "/tmp" cannot be a target: it is the sandbox's own file system; name another, as in "SRC:/tmp/data")"},
        Refusal{R"({"filesystem": {"ro": ["/a:/b:/c"]}})",
                R"(: $.filesystem.ro[0]: expected "SRC" or "SRC:DST", got "/a:/b:/c")"},
        Refusal{R"({"filesystem": {"ro": ["@pyton"]}})",
                R"(: $.filesystem.ro[0]: unknown source "@pyton"; did you mean "@python"?)"},
        Refusal{R"({"filesystem": {"rw": ["@python"]}})",
                R"(: $.filesystem.rw[0]: "@python" cannot be writable: of the named sources only "@project" can)"},
        Refusal{R"({"filesystem": {"ro": ["@python:/p"]}})",
                R"(: $.filesystem.ro[0]: "@python" has places of its own and takes no target)"},
        Refusal{R"({"filesystem": {"ro": ["/a", "/a/"]}})", R"(: $.filesystem.ro[1]: "/a/" is listed twice)"},
        Refusal{R"({"filesystem": {"ro": ["/a"], "rw": ["/b:/a"]}})",
                R"(: $.filesystem: "/a" is the target of two binds, "/a" and "/b:/a")"},
        Refusal{R"({"filesystem": {"ro": "/a"}})", R"(: $.filesystem.ro: expected an array, got "/a")"},
        Refusal{R"({"filesystem": {"ro": [1]}})", R"(: $.filesystem.ro[0]: expected a string, got 1)"},
        Refusal{R"({"filesystem": {"tmp": {"size": "1MiB"}}})", R"(: $.filesystem.tmp: a size needs "inodes" as well)"},
        Refusal{R"({"filesystem": {"tmp": {"inodes": 5}}})", R"(: $.filesystem.tmp: inodes need a "size" as well)"},
        Refusal{R"({"filesystem": {"tmp": {"size": "2PiB", "inodes": 5}}})",
                R"(: $.filesystem.tmp.size: expected a size in 0..1PiB, got "2PiB")"},
        Refusal{R"({"filesystem": {"tmp": {"inodes": -1}}})",
                R"(: $.filesystem.tmp.inodes: expected a whole number in 0..4294967296, got -1)"}));

INSTANTIATE_TEST_SUITE_P(
    Syscalls, DecodeRefusalTest,
    testing::Values(
        Refusal{R"({"syscalls": {"allow": ["ptrac"]}})",
                R"(: $.syscalls.allow[0]: unknown system call "ptrac"; did you mean "ptrace"?)"},
        Refusal{R"({"syscalls": {"groups": ["thread"]}})",
                R"(: $.syscalls.groups[0]: unknown group "thread"; did you mean "threads"?)"},
        Refusal{R"({"syscalls": {"deny": ["read"]}})",
                R"(: $.syscalls: "read" is needed by the runner and cannot be denied)"},
        Refusal{R"({"syscalls": {"rules": [{"call": "ioctl", "argument": 1}]}})",
                R"(: $.syscalls.rules[0]: the key "values" is missing)"},
        Refusal{R"({"syscalls": {"rules": [{"call": "ioctl", "argument": 6, "values": [1]}]}})",
                R"(: $.syscalls.rules[0].argument: expected a whole number in 0..5, got 6)"},
        Refusal{R"({"syscalls": {"rules": [{"call": "ioctl", "argument": 1, "values": []}]}})",
                R"(: $.syscalls.rules[0].values: expected at least one value)"},
        Refusal{R"({"syscalls": {"rules": [{"call": "ioctl", "argument": 1, "values": ["0xg"]}]}})",
                R"(: $.syscalls.rules[0].values[0]: expected a whole number such as 21505 or "0x5401", got "0xg")"},
        Refusal{R"({"syscalls": {"rules": [{"call": "ioctl", "argument": 1, "values": ["0x10000000000000000"]}]}})",
                R"(: $.syscalls.rules[0].values[0]: expected at most 64 bits, got "0x10000000000000000")"},
        Refusal{R"({"syscalls": {"rules": [{"call": "ioctl", "argument": 1, "values": [-1]}]}})",
                R"(: $.syscalls.rules[0].values[0]: expected a whole number such as 21505 or "0x5401", got -1)"},
        Refusal{R"({"syscalls": {"rules": [{"call": "ioctl", "argument": 1, "mask": 255, "values": [256]}]}})",
                R"(: $.syscalls.rules[0].values[0]: the value 256 has bits outside the mask, so nothing would fit)"},
        Refusal{
            R"({"syscalls": {"rules": [{"call": "ioctl", "argument": 1, "values": ["0x100005412"]}]}})",
            R"(: $.syscalls.rules[0].values[0]: TIOCSTI and TIOCLINUX type into the caller's terminal and are never allowed)"}));

INSTANTIATE_TEST_SUITE_P(
    Others, DecodeRefusalTest,
    testing::Values(
        Refusal{R"({"network": "internet"})", R"(: $.network: expected "none", "loopback" or "host", got "internet")"},
        Refusal{R"({"network": {"mode": 1}})", R"(: $.network.mode: expected "none", "loopback" or "host", got 1)"},
        Refusal{R"({"network": true})",
                R"(: $.network: expected "none", "loopback", "host" or an object with "mode", got true)"},
        Refusal{
            R"({"python": {"interpreter": "./python"}})",
            R"(: $.python.interpreter: expected a program name such as "python3" or an absolute path, got "./python")"},
        Refusal{R"({"python": {"venv": "venv"}})", R"(: $.python.venv: expected an absolute path, got "venv")"},
        Refusal{R"({"python": {"preload": ["a..b"]}})",
                R"(: $.python.preload[0]: expected a module name such as "xml.dom", got "a..b")"},
        Refusal{R"({"python": {"site": "all"}})", R"(: $.python.site: expected "none", "system" or "user", got "all")"},
        Refusal{R"({"python": {"fresh": 1}})", R"(: $.python.fresh: expected true or false, got 1)"},
        Refusal{R"({"env": {"pass": ["A=B"]}})",
                R"(: $.env.pass[0]: expected a variable name such as "LANG", got "A=B")"},
        Refusal{R"({"env": {"set": {"A B": "x"}}})",
                R"(: $.env.set: expected a variable name such as "LANG", got "A B")"},
        Refusal{R"({"env": {"set": {"A": 1}}})", R"(: $.env.set.A: expected a string, or null to remove it, got 1)"},
        Refusal{R"({"env": {"set": {"A": "\u0000"}}})", R"(: $.env.set.A: the value holds a zero byte)"},
        Refusal{R"({"env": {"set": {"A": "1", "A": "2"}}})", R"(: $.env.set: the key "A" occurs twice)"},
        Refusal{R"({"tools": {"allow": ["a b"]}})",
                R"(: $.tools.allow[0]: expected a tool name or pattern such as "read_*", got "a b")"},
        Refusal{R"({"tools": {"pending": 0}})", R"(: $.tools.pending: expected a whole number in 1..65536, got 0)"},
        Refusal{R"({"tools": {"timeout": 0}})", R"(: $.tools.timeout: expected a time in 1ms..30d, got 0)"},
        Refusal{R"({"tools": {"per_tool": {"x": 1}}})",
                R"(: $.tools.per_tool.x: expected an object, or null to remove it, got 1)"},
        Refusal{R"({"filesytem": {}})", R"(: $: unknown key "filesytem"; did you mean "filesystem"?)"},
        Refusal{R"({"extends": 1})",
                R"(: $.extends: expected the name of a policy or a path ending in ".json", got 1)"},
        Refusal{R"({"extends": "strct"})", R"(: $.extends: unknown policy "strct"; did you mean "strict"?)"},
        Refusal{R"({"extends": "xyzzy"})",
                R"(: $.extends: unknown policy "xyzzy"; known are strict, data, standard, permissive, ci)"},
        Refusal{R"([])", R"(: $: expected an object, got an array)"},
        Refusal{"{\n  \"limits\": {\n}", R"(:3:2: Missing a comma or '}' after an object member.)"}));

TEST(DecodeTest, RefusesTenThousandBrackets) {
  EXPECT_EQ(message("{\"limits\": " + std::string(10'000, '[')), "policies/x.json:1:75: nested deeper than 64 levels");
}

TEST(DecodeTest, CodesTellKindsApart) {
  EXPECT_EQ(code_of("{"), PolicyErrc::kSyntax);
  EXPECT_EQ(code_of(R"({"limits": {"cpus": "2"}})"), PolicyErrc::kType);
  EXPECT_EQ(code_of(R"({"limits": {"memory": -1}})"), PolicyErrc::kRange);
  EXPECT_EQ(code_of(R"({"x": 1})"), PolicyErrc::kUnknownKey);
  EXPECT_EQ(code_of(R"({"limits": {}, "limits": {}})"), PolicyErrc::kRepeatedKey);
  EXPECT_EQ(code_of(R"({"limits": {"memory": "1GiB"}})"), PolicyErrc::kMissingReason);
  EXPECT_EQ(code_of(R"({"extends": "x"})"), PolicyErrc::kUnknownPolicy);
  EXPECT_EQ(code_of(R"({"syscalls": {"allow": ["x"]}})"), PolicyErrc::kUnknownSyscall);
  EXPECT_EQ(code_of(R"({"syscalls": {"groups": ["x"]}})"), PolicyErrc::kUnknownGroup);
  EXPECT_EQ(code_of(std::string(2 << 20, ' ')), PolicyErrc::kTooLarge);
}

// ---- Layers --------------------------------------------------------------------------------------------------------

TEST(LayersTest, EditsAddAndRemove) {
  const auto policy = decode(R"({"extends": "strict",
    "filesystem": {"reason": "r", "ro": ["+/opt/data", "-@timezones"]},
    "syscalls": {"groups": ["-socket-pairs"]}})");
  ASSERT_TRUE(policy) << policy.error().context;
  const Policy strict = shipped("strict");
  EXPECT_EQ(policy->filesystem.binds.size(), strict.filesystem.binds.size());
  EXPECT_EQ(policy->filesystem.binds.back().source, "/opt/data");
  EXPECT_EQ(policy->syscalls.groups.size(), strict.syscalls.groups.size() - 1);
  EXPECT_EQ(policy->limits, strict.limits);
  EXPECT_EQ(policy->name, "policies/x.json");
}

TEST(LayersTest, PlainListsReplace) {
  const auto policy =
      decode(R"({"extends": "strict", "filesystem": {"ro": ["@python", "@libraries"]}, "tools": {"allow": []}})");
  ASSERT_TRUE(policy) << policy.error().context;
  EXPECT_EQ(policy->filesystem.binds.size(), 2U);
  EXPECT_TRUE(policy->tools.allow.empty());
}

TEST(LayersTest, FormsDoNotMix) {
  EXPECT_EQ(
      message(R"({"extends": "strict", "filesystem": {"ro": ["+/a", "/b"]}})"),
      "policies/x.json: $.filesystem.ro[1]: \"/b\" replaces the list, but the entries before it edit it; use one form");
  EXPECT_EQ(message(R"({"extends": "strict", "filesystem": {"ro": ["/b", "-@python"]}})"),
            "policies/x.json: $.filesystem.ro[1]: \"-@python\" edits the list, but the entries before it replace it; "
            "use one form");
}

TEST(LayersTest, RemovingWhatIsNotThereNamesWhatIs) {
  EXPECT_EQ(message(R"({"extends": "strict", "syscalls": {"groups": ["-exec"]}})"),
            "policies/x.json: $.syscalls.groups[0]: \"exec\" cannot be removed: it is not in the list");
  EXPECT_EQ(message(R"({"extends": "strict", "filesystem": {"ro": ["-/opt/daat"]}})", {}),
            "policies/x.json: $.filesystem.ro[0]: \"/opt/daat\" cannot be removed: it is not in the list");
  EXPECT_EQ(message(R"({"extends": "b.json", "filesystem": {"ro": ["-/opt/daat"]}})",
                    {{"b.json", R"({"filesystem": {"ro": ["/opt/data"], "reason": "r"}})"}}),
            "policies/x.json: $.filesystem.ro[0]: \"/opt/daat\" cannot be removed: it is not in the list; did you mean "
            "\"/opt/data\"?");
}

TEST(LayersTest, ObjectsMergeAndNullRemoves) {
  const auto policy = decode(R"({"extends": "b.json",
      "env": {"reason": "r", "set": {"A": null, "C": "3"}},
      "tools": {"reason": "r", "per_tool": {"x": null, "z": {"calls": 1}}}})",
                             {{"b.json", R"({"env": {"set": {"A": "1", "B": "2"}, "reason": "r"},
                      "tools": {"calls": 9, "per_tool": {"x": {"calls": 2}, "y": {"calls": 3}}, "reason": "r"}})"}});
  ASSERT_TRUE(policy) << policy.error().context;
  EXPECT_EQ(policy->env.set, (std::map<std::string, std::string>{{"B", "2"}, {"C", "3"}}));
  EXPECT_EQ(policy->tools.per_tool.size(), 2U);
  EXPECT_TRUE(policy->tools.per_tool.contains("y"));
  EXPECT_TRUE(policy->tools.per_tool.contains("z"));
}

TEST(LayersTest, AnErrorNamesTheFileItIsIn) {
  EXPECT_EQ(message(R"({"extends": "b.json"})", {{"b.json", R"({"limits": {"wall": []}})"}}),
            "b.json: $.limits.wall: expected a time such as \"30s\", got an array");
}

TEST(LayersTest, CyclesAreNamed) {
  const std::map<std::string, std::string> files = {{"a.json", R"({"extends": "b.json"})"},
                                                    {"b.json", R"({"extends": "a.json"})"}};
  EXPECT_EQ(message(R"({"extends": "a.json"})", files),
            "b.json: $.extends: a policy extends itself: a.json → b.json → a.json");
  EXPECT_EQ(message(R"({"extends": "self"})", {{"self", R"({"extends": "self"})"}}),
            "self: $.extends: a policy extends itself: self → self");
}

TEST(LayersTest, ChainsEnd) {
  std::map<std::string, std::string> files;
  for (int i = 0; i < 20; ++i)
    files[std::to_string(i) + ".json"] = R"({"extends": ")" + std::to_string(i + 1) + R"(.json"})";
  EXPECT_EQ(message(R"({"extends": "0.json"})", files), "6.json: $.extends: more than 8 policies extend each other");
}

// ---- Reasons -------------------------------------------------------------------------------------------------------

TEST(ReasonsTest, RelaxationsNeedOne) {
  const auto relax = [](const std::string& section) { return message("{\"extends\": \"strict\", " + section + "}"); };
  EXPECT_EQ(relax(R"("network": "loopback")"),
            "policies/x.json: $.network: a relaxation (none → loopback) needs a \"reason\"");
  EXPECT_EQ(relax(R"("limits": {"memory": "1GiB", "processes": 65})"),
            "policies/x.json: $.limits: a relaxation (memory 256MiB → 1GiB, processes 64 → 65) needs a \"reason\"");
  EXPECT_EQ(relax(R"("filesystem": {"ro": ["+/opt"]})"),
            "policies/x.json: $.filesystem: a relaxation (ro \"/opt\") needs a \"reason\"");
  EXPECT_EQ(relax(R"("filesystem": {"tmp": {"size": "1GiB"}})"),
            "policies/x.json: $.filesystem: a relaxation (tmp size 64MiB → 1GiB) needs a \"reason\"");
  EXPECT_EQ(relax(R"("syscalls": {"groups": ["+exec"]})"),
            "policies/x.json: $.syscalls: a relaxation (calls execve, execveat) needs a \"reason\"");
  EXPECT_EQ(relax(R"("syscalls": {"groups": ["+ipc"]})"),
            "policies/x.json: $.syscalls: a relaxation (calls mq_getsetattr, mq_notify, mq_open, mq_timedreceive and "
            "14 more) needs a \"reason\"");
  EXPECT_EQ(relax(R"("syscalls": {"rules": [{"call": "ioctl", "argument": 1, "values": [1]}]})"),
            "policies/x.json: $.syscalls: a relaxation (calls ioctl) needs a \"reason\"");
  EXPECT_EQ(relax(R"("python": {"site": "user", "preload": ["json"]})"),
            "policies/x.json: $.python: a relaxation (preload \"json\", site none → user) needs a \"reason\"");
  EXPECT_EQ(relax(R"("env": {"pass": ["HOME"]})"),
            "policies/x.json: $.env: a relaxation (pass \"HOME\") needs a \"reason\"");
  EXPECT_EQ(relax(R"("tools": {"calls": 1001})"),
            "policies/x.json: $.tools: a relaxation (calls 1000 → 1001) needs a \"reason\"");
  EXPECT_EQ(relax(R"("tools": {"per_tool": {"nmap": {"timeout": "60s"}}})"),
            "policies/x.json: $.tools: a relaxation (nmap timeout 10s → 1m) needs a \"reason\"");
}

TEST(ReasonsTest, TheFirstFileIsComparedWithTheClosedPolicy) {
  EXPECT_EQ(message(R"({"limits": {"memory": "65MiB"}})"),
            "policies/x.json: $.limits: a relaxation (memory 64MiB → 65MiB) needs a \"reason\"");
  EXPECT_EQ(message(R"({"limits": {"memory": "64MiB"}})"), "ok");
}

TEST(ReasonsTest, TighteningNeedsNone) {
  EXPECT_EQ(message(R"({"extends": "standard", "network": "none",
      "filesystem": {"ro": ["-@programs"], "tmp": {"size": "1MiB"}},
      "syscalls": {"groups": ["-exec", "-processes"], "deny": ["mlock"], "rules": [{"call": "kill", "argument": 1, "values": [15]}]},
      "limits": {"wall": "1s", "memory": "64MiB"}, "python": {"site": "none", "fresh": true},
      "env": {"set": {"PATH": null}}, "tools": {"allow": ["read_*"], "per_tool": {"read_x": {"calls": 1}}}})"),
            "ok");
}

TEST(ReasonsTest, AReasonCoversItsOwnSectionOnly) {
  EXPECT_EQ(
      message(R"({"extends": "strict", "limits": {"wall": "1h", "reason": "slow"}, "network": {"mode": "loopback"}})"),
      "policies/x.json: $.network: a relaxation (none → loopback) needs a \"reason\"");
  EXPECT_EQ(
      message(
          R"({"extends": "strict", "limits": {"wall": "1h", "reason": "slow"}, "network": {"mode": "loopback", "reason": "server"}})"),
      "ok");
}

TEST(ReasonsTest, TakingBackADenialIsARelaxation) {
  EXPECT_EQ(message(R"({"extends": "b.json", "syscalls": {"deny": ["-mlock"]}})",
                    {{"b.json", R"({"extends": "strict", "syscalls": {"deny": ["mlock"]}})"}}),
            "policies/x.json: $.syscalls: a relaxation (calls mlock) needs a \"reason\"");
}

// ---- Effective policies --------------------------------------------------------------------------------------------

TEST(EffectivePolicyTest, ShippedPoliciesDecode) {
  std::vector<std::string> names;
  for (const PolicySource& source : shipped_policies()) {
    names.push_back(source.name);
    EXPECT_EQ(shipped(source.name).name, source.name);
    EXPECT_FALSE(shipped(source.name).description.empty());
  }
  EXPECT_EQ(names, (std::vector<std::string>{"strict", "data", "standard", "permissive", "ci"}));
}

TEST(EffectivePolicyTest, StrictIsWhatThePromiseSays) {
  const Policy strict = shipped("strict");
  EXPECT_EQ(strict.network, NetworkMode::kNone);
  EXPECT_EQ(strict.limits.memory_bytes, 256ULL << 20);
  EXPECT_EQ(strict.limits.wall, std::chrono::seconds(30));
  EXPECT_EQ(strict.python.site, SitePackages::kNone);
  for (const Bind& bind : strict.filesystem.binds) EXPECT_FALSE(bind.is_writable) << bind.source;
  EXPECT_TRUE(strict.env.pass.empty());
}

// The effective text is a policy file itself; only its reasons are gone.
TEST(EffectivePolicyTest, TextReadsBackAsTheSamePolicy) {
  for (const PolicySource& source : shipped_policies()) {
    Policy policy = shipped(source.name);
    policy.syscalls.rules = {{"ioctl", 1, 0xffffffff, {0x5401, 0x9999}}};
    policy.syscalls.deny = {"mlock"};
    policy.tools.per_tool["x"] = {.calls = 1, .timeout = std::nullopt};
    policy.limits.cpus = 0.1;
    std::string text = to_json(policy);
    for (const char* section : {"filesystem", "syscalls", "limits", "python", "env", "tools"}) {
      const std::string key = std::string("\"") + section + "\": {";
      text.replace(text.find(key), key.size(), key + "\"reason\": \"r\",");
    }
    const std::string mode = "\"network\": \"" +
                             std::string(text.find("\"host\"") != std::string::npos       ? "host"
                                         : text.find("\"loopback\"") != std::string::npos ? "loopback"
                                                                                          : "none") +
                             "\"";
    text.replace(text.find(mode), mode.size(), "\"network\": {\"reason\": \"r\", \"mode\": " + mode.substr(11) + "}");
    auto again = decode(text);
    ASSERT_TRUE(again) << again.error().context;
    again->name = policy.name;
    EXPECT_EQ(*again, policy);
    EXPECT_EQ(digest(*again), digest(policy));
  }
}

TEST(EffectivePolicyTest, DigestIsSha256AndChangesWithThePolicy) {
  Policy policy = shipped("strict");
  const std::string before = digest(policy);
  EXPECT_EQ(before.size(), 64U);
  policy.limits.processes += 1;
  EXPECT_NE(digest(policy), before);
}

}  // namespace
}  // namespace progtc::policy
