#include "cli/policy_loader.h"

#include <filesystem>

#include "runner/sys/file.h"

namespace progtc::cli {
namespace {

constexpr std::size_t kMaxPolicyBytes = 1 << 20;

bool is_file_name(std::string_view name) { return name.find('/') != std::string_view::npos || name.ends_with(".json"); }

}  // namespace

Result<policy::PolicySource> resolve_policy(std::string_view name, std::string_view from) {
  if (!is_file_name(name)) return policy::resolve_shipped(name, from);
  std::filesystem::path path(name);
  if (path.is_relative() && is_file_name(from)) path = std::filesystem::path(from).parent_path() / path;
  const std::string file = path.lexically_normal().string();
  auto text = sys::read_file(file, kMaxPolicyBytes);
  if (!text)
    return Error{policy::make_error_code(policy::PolicyErrc::kUnreadable),
                 "policy '" + file + "': " + text.error().code.message()};
  return policy::PolicySource{file, std::move(*text)};
}

Result<policy::Policy> load_policy(const std::string& name_or_file) {
  PROGTC_TRY(const auto source, resolve_policy(name_or_file, ""));
  PROGTC_TRY(auto policy, policy::decode_policy(source, resolve_policy));
  return policy;
}

}  // namespace progtc::cli
