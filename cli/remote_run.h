#pragma once
#include <string>
#include <vector>

namespace progtc::cli {

// progtc-run --connect: runs code on a daemon, with the tools of this side. It is a part of progtc, which progtc-run
// executes, so that a local run need not load what TLS takes. Returns progtc-run's exit status.
inline constexpr const char* kRemoteRun = "remote-run";
int remote_run(const std::vector<std::string>& arguments);

}  // namespace progtc::cli
