#include "cli/policy_loader.h"

#include "tests/cli/support.h"

namespace progtc::cli {
namespace {

TEST(PolicyLoaderTest, LoadsShippedPoliciesByName) {
  for (const char* name : {"strict", "data", "standard", "permissive", "ci"}) {
    const auto policy = load_policy(name);
    ASSERT_TRUE(policy) << policy.error().context;
    EXPECT_EQ(policy->name, name);
  }
}
TEST(PolicyLoaderTest, ExtendsIsRelativeToTheFileThatSaysSo) {
  const TemporaryDirectory here;
  here.write("below/base.json", R"({"extends": "strict", "limits": {"wall": "5s"}})");
  here.write("below/next.json", R"({"extends": "base.json", "limits": {"cpu": "1s"}})");
  here.write("top.json", R"({"extends": "below/next.json"})");
  for (const char* file : {"top.json", "./below/next.json", "below/../top.json"}) {
    const auto policy = load_policy(file);
    ASSERT_TRUE(policy) << policy.error().context;
    EXPECT_EQ(policy->limits.wall, std::chrono::seconds(5));
    EXPECT_EQ(policy->limits.cpu, std::chrono::seconds(1));
  }
}
TEST(PolicyLoaderTest, NearNamesAreOffered) {
  const auto policy = load_policy("strit");
  ASSERT_FALSE(policy);
  EXPECT_NE(policy.error().context.find("did you mean \"strict\"?"), std::string::npos) << policy.error().context;
}
TEST(PolicyLoaderTest, MissingFilesAreNamed) {
  const TemporaryDirectory here;
  EXPECT_EQ(load_policy("no.json").error().context, "policy 'no.json': No such file or directory");
  EXPECT_EQ(load_policy("./x").error().context, "policy 'x': No such file or directory");
  here.write("d.json", R"({"extends": "gone.json"})");
  EXPECT_NE(load_policy("d.json").error().context.find("policy 'gone.json': No such file or directory"),
            std::string::npos);
}
TEST(PolicyLoaderTest, MessagesNameTheFile) {
  const TemporaryDirectory here;
  here.write("x.json", R"({"extends": "strict", "limits": {"memory": -1}})");
  EXPECT_EQ(load_policy("x.json").error().context,
            R"(x.json: $.limits.memory: expected a size such as "256MiB", got -1)");
}

}  // namespace
}  // namespace progtc::cli
