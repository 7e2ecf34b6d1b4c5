#include "runner/root_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace progtc::runner {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

// A host tree of its own with an interpreter that has a prefix of its own.
class RootPlanTest : public ::testing::Test {
 protected:
  void SetUp() override {
    root_ = fs::path(::testing::TempDir()) / ("root-plan-" + std::to_string(::getpid()));
    for (const char* directory : {"python/bin", "python/lib/python3.11", "guest", "data/inner", "other"})
      fs::create_directories(root_ / directory);
    std::ofstream(root_ / "python/bin/python3.11") << "x";
    std::ofstream(root_ / "data/file") << "x";
    interpreter_.executable = (root_ / "python/bin/python3.11").string();
    interpreter_.called = interpreter_.executable;
    interpreter_.major = 3;
    interpreter_.minor = 11;
    interpreter_.base_prefix = (root_ / "python").string();
    interpreter_.standard_library = (root_ / "python/lib/python3.11").string();
  }
  void TearDown() override { fs::remove_all(root_); }

  std::string path(const std::string& below) const { return (root_ / below).string(); }
  Result<RootPlan> plan() const { return plan_root(policy_, interpreter_, {path("data"), path("guest"), false}); }
  void bind(const std::string& source, const std::string& target = "", bool is_writable = false) {
    policy_.filesystem.binds.push_back({source, target, is_writable});
  }

  fs::path root_;
  policy::Policy policy_;
  Interpreter interpreter_;
};

TEST_F(RootPlanTest, ShowsNothingOfTheHostBeyondDevicesAndTheGuestRuntimeByDefault) {
  const auto planned = plan();
  ASSERT_TRUE(planned) << planned.error().context;
  std::vector<std::string> targets;
  for (const PlannedBind& bind : planned->binds) targets.push_back(bind.target);
  EXPECT_THAT(targets, ::testing::UnorderedElementsAre("/dev/null", "/dev/zero", "/dev/full", "/dev/random",
                                                       "/dev/urandom", kGuestPath));
  for (const PlannedBind& bind : planned->binds) EXPECT_FALSE(bind.is_writable) << bind.target;
}

TEST_F(RootPlanTest, TellsWhereAHostPathIsVisible) {
  bind(path("data"), "/mine");
  const auto planned = plan();
  ASSERT_TRUE(planned) << planned.error().context;
  EXPECT_EQ(planned->inside(path("data/inner")), "/mine/inner");
  EXPECT_EQ(planned->inside(path("other")), "");
}

TEST_F(RootPlanTest, OnlyWritableBindsAreOpenedForWriting) {
  bind(path("data"), "/seen");
  bind(path("other"), "/written", true);
  const auto planned = plan();
  ASSERT_TRUE(planned) << planned.error().context;
  EXPECT_THAT(planned->writable, ::testing::Contains("/written"));
  EXPECT_THAT(planned->writable, ::testing::Not(::testing::Contains("/seen")));
}

TEST_F(RootPlanTest, FilesThatTheStandardLibraryLinksToAreShownReadOnlyAndNothingBesideThem) {
  std::ofstream(root_ / "other/beside") << "x";
  std::ofstream(root_ / "other/real.py") << "x";
  fs::create_symlink("real.py", root_ / "other/chosen.py");
  fs::create_symlink(path("other/chosen.py"), root_ / "python/lib/python3.11/sitecustomize.py");
  fs::create_symlink("../../../data", root_ / "python/lib/python3.11/directory");
  fs::create_symlink("/absent", root_ / "python/lib/python3.11/absent");
  bind("@python");
  const auto planned = plan();
  ASSERT_TRUE(planned) << planned.error().context;
  std::vector<std::string> targets;
  for (const PlannedBind& each : planned->binds)
    if (!each.is_device) targets.push_back(each.target + (each.is_writable ? " rw " : " ") + each.origin);
  EXPECT_THAT(targets, ::testing::UnorderedElementsAre(path("python") + " @python", path("other/real.py") + " @python",
                                                       std::string(kGuestPath) + " the runner"));
  EXPECT_TRUE(std::any_of(planned->entries.begin(), planned->entries.end(), [&](const PlannedEntry& entry) {
    return "/" + entry.path == path("other/chosen.py") && entry.kind == child::EntryKind::kSymlink &&
           entry.content == "real.py";
  }));
}

TEST_F(RootPlanTest, RefusesTheWholeRoot) {
  bind("/");
  const auto planned = plan();
  ASSERT_FALSE(planned);
  EXPECT_EQ(planned.error().context, "bind '/': the whole root cannot be bound; name the directories needed");
}

TEST_F(RootPlanTest, NamesAMissingSource) {
  bind(path("absent"));
  const auto planned = plan();
  ASSERT_FALSE(planned);
  EXPECT_EQ(planned.error().context, "bind '" + path("absent") + "': No such file or directory");
}

TEST_F(RootPlanTest, RefusesTargetsThatAreTheSandboxsOwn) {
  for (const char* target : {"/proc/x", "/dev/x", "/tmp", "/sandbox"}) {
    policy_.filesystem.binds.clear();
    bind(path("data"), target);
    const auto planned = plan();
    ASSERT_FALSE(planned) << target;
    EXPECT_THAT(planned.error().context, HasSubstr(target));
  }
}

TEST_F(RootPlanTest, RefusesDevicesAndOtherWaysOut) {
  bind("/dev/null", "/elsewhere");
  const auto planned = plan();
  ASSERT_FALSE(planned);
  EXPECT_THAT(planned.error().context, HasSubstr("only directories and regular files can be shown"));
}

TEST_F(RootPlanTest, RefusesFilesOfTheKernelUnderAnyName) {
  fs::create_symlink("/proc/self", path("link-to-proc"));
  fs::create_symlink("/run", path("link-to-run"));
  for (const std::string& source : {path("link-to-proc"), path("link-to-run"), std::string("/proc/sys"),
                                    std::string("/sys/kernel"), std::string("/dev/pts"), std::string("/run")}) {
    if (!fs::exists(source)) continue;
    policy_.filesystem.binds.clear();
    bind(source, "/elsewhere");
    const auto planned = plan();
    ASSERT_FALSE(planned) << source;
    EXPECT_THAT(planned.error().context, HasSubstr("cannot be shown")) << source;
  }
  policy_.filesystem.binds.clear();
  fs::create_symlink(path("data"), path("link-to-data"));
  bind(path("link-to-data"), "/elsewhere");
  EXPECT_TRUE(plan());  // the twin: a link to files that are no kernel's
}

TEST_F(RootPlanTest, APrivateFileSystemThatThePolicyLeavesOutHasNoPlace) {
  const auto planned = plan();
  ASSERT_TRUE(planned) << planned.error().context;
  for (const PlannedEntry& entry : planned->entries)
    EXPECT_THAT(entry.path, ::testing::Not(::testing::AnyOf("tmp", "dev/shm", "sandbox", "out")));
  EXPECT_THAT(planned->writable, ::testing::ElementsAre("/dev"));
  EXPECT_EQ(planned->work_dir, "/");
  bind(path("data"), "/tmp/here/data");
  EXPECT_EQ(plan()->late_binds, "");
}

TEST_F(RootPlanTest, EachPrivateFileSystemHasItsPlace) {
  const policy::Tmpfs some{.size_bytes = 4096, .inodes = 4};
  policy_.filesystem.tmp = policy_.filesystem.shm = policy_.filesystem.work = policy_.filesystem.out = some;
  const auto planned = plan();
  ASSERT_TRUE(planned) << planned.error().context;
  EXPECT_THAT(planned->writable, ::testing::UnorderedElementsAre("/dev", "/tmp", "/sandbox", "/out"));
  EXPECT_EQ(planned->work_dir, "/sandbox");
  for (const char* place : {"tmp", "dev/shm", "sandbox", "out"})
    EXPECT_TRUE(std::any_of(planned->entries.begin(), planned->entries.end(), [&](const PlannedEntry& entry) {
      return entry.path == place;
    })) << place;
}

TEST_F(RootPlanTest, CarriesBindsBelowPrivateDirectoriesOver) {
  policy_.filesystem.tmp = {.size_bytes = 4096, .inodes = 4};
  bind(path("data"), "/tmp/here/data");
  const auto planned = plan();
  ASSERT_TRUE(planned) << planned.error().context;
  EXPECT_EQ(planned->late_binds, std::string("/tmp/here/data\0", 15));
}

TEST_F(RootPlanTest, ABindInsideABindNeedsItsPlaceThere) {
  bind(path("data"), "/outer");
  bind(path("other"), "/outer/inner");
  EXPECT_TRUE(plan());
  bind(path("other"), "/outer/absent");
  const auto planned = plan();
  ASSERT_FALSE(planned);
  EXPECT_THAT(planned.error().context, HasSubstr("which has no such directory; create it there first"));
}

TEST_F(RootPlanTest, TwoSourcesCannotShareATarget) {
  bind(path("data"), "/same");
  bind(path("other"), "/same");
  const auto planned = plan();
  ASSERT_FALSE(planned);
  EXPECT_EQ(planned.error().context, "two binds share the target '/same'");
}

}  // namespace
}  // namespace progtc::runner
