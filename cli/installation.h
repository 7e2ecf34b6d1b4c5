#pragma once
#include <string>

namespace progtc::cli {

// The directory of the guest runtime that belongs to this program: beside it in a build tree, ../lib/progtc/guest when
// installed. Empty when there is none.
std::string guest_directory();

// A file of share/progtc that belongs to this program, by its name there. Empty when there is none.
std::string shared_file(const std::string& name);

// Opens /dev/null for each of the descriptors 0, 1 and 2 that a caller has left closed, before anything of ours gets
// their numbers and is taken for a standard stream. The first thing a program does.
void fill_standard_descriptors();

// The path of another of our programs, in the directory of this one.
std::string program_beside(const std::string& name);

}  // namespace progtc::cli
