using Google.Protobuf;
using Weft.Model.Json;
using Weft.Model.Keys;
using Weft.Model.Resources;
using StoredKeyValue = Mvccpb.KeyValue;

namespace Weft.Datastore.Etcd;

/// <summary>Between the bytes of etcd and the typed values of weft.</summary>
internal static class StoredValue
{
    public static ByteString KeyOf(ModelKey key) => ByteString.CopyFromUtf8(key.Path);

    public static ByteString Bytes(ModelKey key, object value) => UnsafeByteOperations.UnsafeWrap(ModelJson.Serialize(key, value));

    /// <summary>False with the problem when the bytes are not what the key says.</summary>
    public static bool TryRead(ModelKey key, StoredKeyValue stored, out KeyValue value, out string problem)
    {
        if (ModelJson.TryDeserialize(key, stored.Value.Span, out object? parsed, out string? why) && parsed is not null)
        {
            if (parsed is Resource resource)
            {
                resource.Metadata.ResourceVersion = new Revision(stored.ModRevision).ToString();
            }

            value = new KeyValue(key, parsed, new Revision(stored.ModRevision));
            problem = string.Empty;
            return true;
        }

        value = null!;
        problem = why ?? "the value is null";
        return false;
    }

    /// <summary>One event of a watch; null for a key that weft does not know.</summary>
    public static ModelUpdate? Update(Mvccpb.Event change)
    {
        if (ModelKey.TryParse(change.Kv.Key.ToStringUtf8()) is not { } key)
        {
            return null;
        }

        if (change.Type == Mvccpb.Event.Types.EventType.Delete)
        {
            return new ModelUpdate(key, null, change.Kv.ModRevision);
        }

        return TryRead(key, change.Kv, out KeyValue value, out string problem)
            ? new ModelUpdate(key, value.Value, change.Kv.ModRevision)
            : new ModelUpdate(key, null, change.Kv.ModRevision, problem);
    }
}
