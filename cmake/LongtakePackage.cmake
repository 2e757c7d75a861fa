# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
# What an installation holds (docs/install.md), and its packages: a .deb for Debian 12 and a .tar.gz that
# works wherever it is unpacked. No path is compiled in: longtake-demo finds programs and model
# beside itself.
include(GNUInstallDirs)
install(TARGETS longtaked longtake longtake-pack)
install(PROGRAMS deploy/longtake-demo TYPE BIN)
install(FILES deploy/longtaked.yaml DESTINATION share/longtake)
install(DIRECTORY models/shapes-small DESTINATION share/longtake/models)
install(DIRECTORY proto DESTINATION share/longtake FILES_MATCHING PATTERN *.proto)
install(FILES deploy/longtaked.service DESTINATION lib/systemd/system)
install(FILES README.md CHANGELOG.md CONTRIBUTING.md SECURITY.md LICENSE NOTICE
  DESTINATION share/doc/longtake)
install(FILES NOTICE DESTINATION share/doc/longtake RENAME copyright)  # where Debian looks
install(DIRECTORY docs DESTINATION share/doc/longtake)

set(CPACK_GENERATOR DEB TGZ)
set(CPACK_PACKAGE_DIRECTORY ${PROJECT_BINARY_DIR}/packages)
set(CPACK_PACKAGE_CONTACT "The longtake authors")
set(CPACK_PACKAGE_FILE_NAME
  longtake-${PROJECT_VERSION}-linux-${CMAKE_SYSTEM_PROCESSOR})
set(CPACK_STRIP_FILES ON)
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "server that generates video for hours, chunk by chunk")
set(CPACK_PACKAGE_DESCRIPTION
  "Runs the causal Wan 2.1 family and its bidirectional base on CPUs with AVX2 or more, with models
larger than memory: transformer layers stream from NVMe, and one sweep over them serves every session.
With the server come its client, the packer and a small model that draws coloured shapes.")
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION video)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
  ${PROJECT_SOURCE_DIR}/deploy/debian/postinst ${PROJECT_SOURCE_DIR}/deploy/debian/prerm)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
include(CPack)
