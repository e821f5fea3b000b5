// Package identity says who a node is and how it gets into a cluster: the data
// directory that makes a restart the same node ([Dir], [Identity]), the
// cluster's own certificate authority ([Authority]), what links between nodes
// authenticate with ([Credentials]), join tokens ([Token], [Grant]) and the
// handshake of joining ([Joiner] asks, [Gate] decides).
//
// # Data directory
//
//	lock           held with flock by the one process that uses the directory
//	identity.json  cluster, node, whether it is a coordinator; written last
//	incarnation    number of the last process start
//	tls/ca.pem     certificate of the cluster's authority
//	tls/node.pem   this node's certificate
//	tls/node.key   its key, never sent anywhere
//	etcd/          of the configuration service, on coordinators
//	view.last      last known view
//	settings.last  last known settings
//
// # How a node joins
//
//  1. The joiner opens its data directory, makes a key, and listens on its peer
//     port with a certificate it has signed itself ([Provisional]): it answers
//     there who it is, and nothing else.
//  2. It connects to the peer port of a member, ALPN larder-join/1, and accepts
//     the member's certificate only when that was signed by the authority whose
//     fingerprint the token has.
//  3. The member says what time it is. The joiner compares clocks, then sends
//     the token's secret, who it is, and a certificate request.
//  4. The member checks the token, the clocks, the addresses, and dials the
//     joiner's peer address back ([Reachable]): the key there must be that of
//     the request. Then its [Registrar] admits the node.
//  5. The answer has the certificate. The joiner writes it down
//     ([Dir.Settle]) and installs it ([Credentials.Install]); links may begin.
//
// A restart needs none of this: [Decide] tells what to do with what there is.
//
// # One port
//
// Links, joins and the dialling back share the peer port; the first bytes of
// TLS (ALPN) tell them apart. [Split] gives the accepted connections, with the
// handshake done, to whoever serves each protocol. Who offers none of them gets
// a TLS alert and no certificate.
//
// # Certificates in etcd
//
// etcd reads the files of [Dir.Files]. A node's certificate has the DNS name
// larder-node beside the node's addresses, so that a node may be reached by an
// address that is not in it, as behind a NAT. That needs these settings, for
// clients and for peers alike, of transport.TLSInfo:
//
//	ServerName          larder-node  whom clients expect, whatever they dialled
//	AllowedHostnames    larder-node  whom servers let in
//	ClientCertAuth      true
//	SkipClientSANVerify true         else etcd compares the connection's source
//	                                 address with the certificate and looks
//	                                 larder-node up in DNS
//
// etcd reads certificate and key anew for each connection, the authority only
// at its start. A certificate is therefore renewed with the same key: one file
// changes, at once.
package identity
