using System.Text.Json.Serialization;
using Weft.Model.Ipam;
using Weft.Model.Resources;
using Weft.Model.Status;

namespace Weft.Model.Json;

/// <summary>The contracts of everything that is stored, generated at build time: the trimmed executable has no reflection to fall back on.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    Converters = [typeof(TextMapConverter), typeof(CountMapConverter), typeof(SequenceMapConverter)])]
[JsonSerializable(typeof(BGPConfiguration))]
[JsonSerializable(typeof(BGPFilter))]
[JsonSerializable(typeof(BGPPeer))]
[JsonSerializable(typeof(BlockAffinity))]
[JsonSerializable(typeof(CalicoNodeStatus))]
[JsonSerializable(typeof(ClusterInformation))]
[JsonSerializable(typeof(FelixConfiguration))]
[JsonSerializable(typeof(GlobalNetworkPolicy))]
[JsonSerializable(typeof(GlobalNetworkSet))]
[JsonSerializable(typeof(HostEndpoint))]
[JsonSerializable(typeof(IPAMConfiguration))]
[JsonSerializable(typeof(IPPool))]
[JsonSerializable(typeof(IPReservation))]
[JsonSerializable(typeof(KubeControllersConfiguration))]
[JsonSerializable(typeof(NetworkPolicy))]
[JsonSerializable(typeof(NetworkSet))]
[JsonSerializable(typeof(Node))]
[JsonSerializable(typeof(Profile))]
[JsonSerializable(typeof(StagedGlobalNetworkPolicy))]
[JsonSerializable(typeof(StagedKubernetesNetworkPolicy))]
[JsonSerializable(typeof(StagedNetworkPolicy))]
[JsonSerializable(typeof(Tier))]
[JsonSerializable(typeof(WorkloadEndpoint))]
[JsonSerializable(typeof(AllocationBlock))]
[JsonSerializable(typeof(BlockAffinityValue))]
[JsonSerializable(typeof(IpamHandle))]
[JsonSerializable(typeof(IpamConfig))]
[JsonSerializable(typeof(IpamHost))]
[JsonSerializable(typeof(FelixStatusReport))]
[JsonSerializable(typeof(EndpointStatusReport))]
internal sealed partial class ModelJsonContext : JsonSerializerContext;
