package server_test

const descriptorChild = "LARDER_SERVER_TEST_DESCRIPTORS"
