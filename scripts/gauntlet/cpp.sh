# C++, with CMake and the tarball.
# shellcheck shell=sh disable=SC1091,SC2034,SC2046,SC2154
. /gauntlet/tarball.sh
folder() {
    take_tarball
    cp /gauntlet/programs/quickstart.cpp .
    cat >CMakeLists.txt <<'CMAKE'
cmake_minimum_required(VERSION 3.16)
project(app CXX)
set(CMAKE_CXX_STANDARD 17)
find_package(smolwf REQUIRED)
add_executable(quickstart quickstart.cpp)
target_link_libraries(quickstart PRIVATE smolwf::smolwf)
CMAKE
}
build() { cmake -B built -S . "-DCMAKE_PREFIX_PATH=$prefix" && cmake --build built; }
start() { SMOLWF_STORE=$store built/quickstart "$@"; }
on_server=yes
look() { "$prefix/bin/swctl" quickstart.db ls; }
