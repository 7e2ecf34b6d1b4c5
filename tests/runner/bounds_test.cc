#include "runner/bounds.h"

#include <gtest/gtest.h>

#include "tests/policy/support.h"

namespace progtc::runner {
namespace {

using policy::shipped;

TEST(BoundsTest, WithoutACgroupStrictHoldsAtMostTwiceItsMemory) {
  const policy::Policy strict = as_enforceable(shipped("strict"), CgroupSite{}, {});
  EXPECT_EQ(strict.limits.memory_bytes, 256U << 20);
  EXPECT_LE(most_memory_without_cgroup(strict), 2 * strict.limits.memory_bytes);
  EXPECT_GT(most_memory_without_cgroup(shipped("strict")), 2 * strict.limits.memory_bytes);
}

TEST(BoundsTest, WithoutACgroupWhatIsNotMappedIsKeptSmall) {
  const policy::Policy strict = as_enforceable(shipped("strict"), CgroupSite{}, {});
  EXPECT_EQ(strict.limits.open_files, 42U);
  std::uint64_t files = 0;
  for (const policy::PrivatePlace& place : private_places(strict.filesystem)) files += place.tmpfs.size_bytes;
  EXPECT_EQ(private_places(strict.filesystem).size(), 4U);
  EXPECT_LE(files, strict.limits.memory_bytes / 2);
  EXPECT_EQ(as_enforceable(strict, CgroupSite{}, {}).filesystem, strict.filesystem);
}

TEST(BoundsTest, ASmallPolicyKeepsWhatItHas) {
  policy::Policy small = shipped("strict");
  small.limits.open_files = 16;
  small.filesystem = {};
  small.filesystem.work = {.size_bytes = 1 << 20, .inodes = 16};
  const policy::Policy same = as_enforceable(small, CgroupSite{}, {});
  EXPECT_EQ(same.limits.open_files, 16U);
  EXPECT_EQ(same.filesystem, small.filesystem);
}

TEST(BoundsTest, WithACgroupOrWithoutItOnRequestThePolicyKeepsItsSizes) {
  CgroupSite site;
  site.mechanism = CgroupMechanism::kV2;
  site.controllers = {"memory", "pids", "cpu"};
  EXPECT_EQ(as_enforceable(shipped("standard"), site, {}), shipped("standard"));
  EXPECT_EQ(as_enforceable(shipped("strict"), CgroupSite{}, {"cgroup"}).limits, shipped("strict").limits);
}

}  // namespace
}  // namespace progtc::runner
