#include "cli/doctor_command.h"

#include <rapidjson/document.h>

#include <cerrno>

#include "tests/cli/support.h"

namespace progtc::cli {
namespace {

using runner::HostFacts;
using runner::namespace_advice;

bool mentions(const std::vector<std::string>& advice, const std::string& what) {
  for (const std::string& line : advice)
    if (line.find(what) != std::string::npos) return true;
  return false;
}

TEST(NamespaceAdviceTest, NamesTheSettingAndTheShippedProfile) {
  HostFacts facts;
  facts.apparmor_restrict = 1;
  facts.apparmor_profile = "/usr/share/progtc/apparmor/progtc-run";
  const auto advice = namespace_advice(facts, EPERM);
  EXPECT_TRUE(mentions(advice, "kernel.apparmor_restrict_unprivileged_userns=1"));
  EXPECT_TRUE(mentions(advice, "sudo cp /usr/share/progtc/apparmor/progtc-run /etc/apparmor.d/progtc-run"));
  facts.is_root = true;  // not restricted by it
  EXPECT_FALSE(mentions(namespace_advice(facts, EPERM), "apparmor_restrict"));
}
TEST(NamespaceAdviceTest, NamesSettingsThatSwitchThemOff) {
  HostFacts facts;
  facts.userns_clone = 0;
  EXPECT_TRUE(mentions(namespace_advice(facts, EPERM), "kernel.unprivileged_userns_clone=1"));
  facts = {};
  facts.max_user_namespaces = 0;
  EXPECT_TRUE(mentions(namespace_advice(facts, ENOSPC), "user.max_user_namespaces=15000 (now 0)"));
  facts = {};
  facts.has_seccomp_filter = true;
  EXPECT_TRUE(mentions(namespace_advice(facts, EPERM), "seccomp=unconfined"));
  EXPECT_TRUE(mentions(namespace_advice(facts, ENOSYS), "seccomp=unconfined"));
}
TEST(NamespaceAdviceTest, IsNeverEmptyForARefusal) { EXPECT_FALSE(namespace_advice(HostFacts{}, EACCES).empty()); }

TEST(DoctorTextTest, IsOneLineAProbeWithAdviceBelow) {
  const std::vector<runner::Probe> probes = {
      {"user namespace", runner::ProbeStatus::kOk, "made", {}},
      {"fresh /proc", runner::ProbeStatus::kMissing, "fsconfig proc: Operation not permitted", {"unmask it"}},
      {"landlock", runner::ProbeStatus::kFailed, "x\x1b", {}}};
  EXPECT_EQ(doctor_text(probes),
            "ok      user namespace: made\n"
            "missing fresh /proc: fsconfig proc: Operation not permitted\n"
            "          -> unmask it\n"
            "FAILED  landlock: x\\x1b\n");
}
TEST(DoctorTextTest, JsonHoldsTheSame) {
  rapidjson::Document json;
  json.Parse(doctor_json({{"a", runner::ProbeStatus::kMissing, "d", {"b"}}}, true));
  ASSERT_FALSE(json.HasParseError());
  EXPECT_TRUE(json["can_run_strict"].GetBool());
  EXPECT_STREQ(json["probes"][0]["status"].GetString(), "missing");
  EXPECT_STREQ(json["probes"][0]["advice"][0].GetString(), "b");
}

}  // namespace
}  // namespace progtc::cli
