from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Plan(_message.Message):
    __slots__ = ("extensions", "relations")
    EXTENSIONS_FIELD_NUMBER: _ClassVar[int]
    RELATIONS_FIELD_NUMBER: _ClassVar[int]
    extensions: _containers.RepeatedCompositeFieldContainer[SimpleExtensionDeclaration]
    relations: _containers.RepeatedCompositeFieldContainer[PlanRel]
    def __init__(self, extensions: _Optional[_Iterable[_Union[SimpleExtensionDeclaration, _Mapping]]] = ..., relations: _Optional[_Iterable[_Union[PlanRel, _Mapping]]] = ...) -> None: ...

class SimpleExtensionDeclaration(_message.Message):
    __slots__ = ("extension_function",)
    class ExtensionFunction(_message.Message):
        __slots__ = ("function_anchor", "name")
        FUNCTION_ANCHOR_FIELD_NUMBER: _ClassVar[int]
        NAME_FIELD_NUMBER: _ClassVar[int]
        function_anchor: int
        name: str
        def __init__(self, function_anchor: _Optional[int] = ..., name: _Optional[str] = ...) -> None: ...
    EXTENSION_FUNCTION_FIELD_NUMBER: _ClassVar[int]
    extension_function: SimpleExtensionDeclaration.ExtensionFunction
    def __init__(self, extension_function: _Optional[_Union[SimpleExtensionDeclaration.ExtensionFunction, _Mapping]] = ...) -> None: ...

class PlanRel(_message.Message):
    __slots__ = ("rel", "root")
    REL_FIELD_NUMBER: _ClassVar[int]
    ROOT_FIELD_NUMBER: _ClassVar[int]
    rel: Rel
    root: RelRoot
    def __init__(self, rel: _Optional[_Union[Rel, _Mapping]] = ..., root: _Optional[_Union[RelRoot, _Mapping]] = ...) -> None: ...

class RelRoot(_message.Message):
    __slots__ = ("input",)
    INPUT_FIELD_NUMBER: _ClassVar[int]
    input: Rel
    def __init__(self, input: _Optional[_Union[Rel, _Mapping]] = ...) -> None: ...

class Rel(_message.Message):
    __slots__ = ("read", "filter", "fetch", "aggregate", "sort", "join", "project", "set", "extension_single", "extension_multi", "cross", "hash_join", "merge_join", "exchange", "window", "nested_loop_join", "top_n", "lateral_join")
    READ_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    FETCH_FIELD_NUMBER: _ClassVar[int]
    AGGREGATE_FIELD_NUMBER: _ClassVar[int]
    SORT_FIELD_NUMBER: _ClassVar[int]
    JOIN_FIELD_NUMBER: _ClassVar[int]
    PROJECT_FIELD_NUMBER: _ClassVar[int]
    SET_FIELD_NUMBER: _ClassVar[int]
    EXTENSION_SINGLE_FIELD_NUMBER: _ClassVar[int]
    EXTENSION_MULTI_FIELD_NUMBER: _ClassVar[int]
    CROSS_FIELD_NUMBER: _ClassVar[int]
    HASH_JOIN_FIELD_NUMBER: _ClassVar[int]
    MERGE_JOIN_FIELD_NUMBER: _ClassVar[int]
    EXCHANGE_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    NESTED_LOOP_JOIN_FIELD_NUMBER: _ClassVar[int]
    TOP_N_FIELD_NUMBER: _ClassVar[int]
    LATERAL_JOIN_FIELD_NUMBER: _ClassVar[int]
    read: ReadRel
    filter: FilterRel
    fetch: FetchRel
    aggregate: AggregateRel
    sort: SortRel
    join: JoinRel
    project: ProjectRel
    set: SetRel
    extension_single: ExtensionSingleRel
    extension_multi: ExtensionMultiRel
    cross: CrossRel
    hash_join: KeyedJoinRel
    merge_join: KeyedJoinRel
    exchange: SingleRel
    window: WindowRel
    nested_loop_join: NestedLoopJoinRel
    top_n: SortRel
    lateral_join: JoinRel
    def __init__(self, read: _Optional[_Union[ReadRel, _Mapping]] = ..., filter: _Optional[_Union[FilterRel, _Mapping]] = ..., fetch: _Optional[_Union[FetchRel, _Mapping]] = ..., aggregate: _Optional[_Union[AggregateRel, _Mapping]] = ..., sort: _Optional[_Union[SortRel, _Mapping]] = ..., join: _Optional[_Union[JoinRel, _Mapping]] = ..., project: _Optional[_Union[ProjectRel, _Mapping]] = ..., set: _Optional[_Union[SetRel, _Mapping]] = ..., extension_single: _Optional[_Union[ExtensionSingleRel, _Mapping]] = ..., extension_multi: _Optional[_Union[ExtensionMultiRel, _Mapping]] = ..., cross: _Optional[_Union[CrossRel, _Mapping]] = ..., hash_join: _Optional[_Union[KeyedJoinRel, _Mapping]] = ..., merge_join: _Optional[_Union[KeyedJoinRel, _Mapping]] = ..., exchange: _Optional[_Union[SingleRel, _Mapping]] = ..., window: _Optional[_Union[WindowRel, _Mapping]] = ..., nested_loop_join: _Optional[_Union[NestedLoopJoinRel, _Mapping]] = ..., top_n: _Optional[_Union[SortRel, _Mapping]] = ..., lateral_join: _Optional[_Union[JoinRel, _Mapping]] = ...) -> None: ...

class RelCommon(_message.Message):
    __slots__ = ("direct", "emit")
    class Direct(_message.Message):
        __slots__ = ()
        def __init__(self) -> None: ...
    class Emit(_message.Message):
        __slots__ = ("output_mapping",)
        OUTPUT_MAPPING_FIELD_NUMBER: _ClassVar[int]
        output_mapping: _containers.RepeatedScalarFieldContainer[int]
        def __init__(self, output_mapping: _Optional[_Iterable[int]] = ...) -> None: ...
    DIRECT_FIELD_NUMBER: _ClassVar[int]
    EMIT_FIELD_NUMBER: _ClassVar[int]
    direct: RelCommon.Direct
    emit: RelCommon.Emit
    def __init__(self, direct: _Optional[_Union[RelCommon.Direct, _Mapping]] = ..., emit: _Optional[_Union[RelCommon.Emit, _Mapping]] = ...) -> None: ...

class ReadRel(_message.Message):
    __slots__ = ("common", "base_schema", "filter", "projection", "virtual_table", "named_table", "best_effort_filter")
    class VirtualTable(_message.Message):
        __slots__ = ("values", "expressions")
        VALUES_FIELD_NUMBER: _ClassVar[int]
        EXPRESSIONS_FIELD_NUMBER: _ClassVar[int]
        values: _containers.RepeatedCompositeFieldContainer[Expression.Literal.Struct]
        expressions: _containers.RepeatedCompositeFieldContainer[Expression.Nested.Struct]
        def __init__(self, values: _Optional[_Iterable[_Union[Expression.Literal.Struct, _Mapping]]] = ..., expressions: _Optional[_Iterable[_Union[Expression.Nested.Struct, _Mapping]]] = ...) -> None: ...
    class NamedTable(_message.Message):
        __slots__ = ("names",)
        NAMES_FIELD_NUMBER: _ClassVar[int]
        names: _containers.RepeatedScalarFieldContainer[str]
        def __init__(self, names: _Optional[_Iterable[str]] = ...) -> None: ...
    COMMON_FIELD_NUMBER: _ClassVar[int]
    BASE_SCHEMA_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    PROJECTION_FIELD_NUMBER: _ClassVar[int]
    VIRTUAL_TABLE_FIELD_NUMBER: _ClassVar[int]
    NAMED_TABLE_FIELD_NUMBER: _ClassVar[int]
    BEST_EFFORT_FILTER_FIELD_NUMBER: _ClassVar[int]
    common: RelCommon
    base_schema: NamedStruct
    filter: Expression
    projection: MaskExpression
    virtual_table: ReadRel.VirtualTable
    named_table: ReadRel.NamedTable
    best_effort_filter: Expression
    def __init__(self, common: _Optional[_Union[RelCommon, _Mapping]] = ..., base_schema: _Optional[_Union[NamedStruct, _Mapping]] = ..., filter: _Optional[_Union[Expression, _Mapping]] = ..., projection: _Optional[_Union[MaskExpression, _Mapping]] = ..., virtual_table: _Optional[_Union[ReadRel.VirtualTable, _Mapping]] = ..., named_table: _Optional[_Union[ReadRel.NamedTable, _Mapping]] = ..., best_effort_filter: _Optional[_Union[Expression, _Mapping]] = ...) -> None: ...

class NamedStruct(_message.Message):
    __slots__ = ("names", "struct")
    NAMES_FIELD_NUMBER: _ClassVar[int]
    STRUCT_FIELD_NUMBER: _ClassVar[int]
    names: _containers.RepeatedScalarFieldContainer[str]
    struct: Struct
    def __init__(self, names: _Optional[_Iterable[str]] = ..., struct: _Optional[_Union[Struct, _Mapping]] = ...) -> None: ...

class Struct(_message.Message):
    __slots__ = ("types",)
    TYPES_FIELD_NUMBER: _ClassVar[int]
    types: _containers.RepeatedCompositeFieldContainer[Type]
    def __init__(self, types: _Optional[_Iterable[_Union[Type, _Mapping]]] = ...) -> None: ...

class Type(_message.Message):
    __slots__ = ("struct", "list", "map")
    class List(_message.Message):
        __slots__ = ("type",)
        TYPE_FIELD_NUMBER: _ClassVar[int]
        type: Type
        def __init__(self, type: _Optional[_Union[Type, _Mapping]] = ...) -> None: ...
    class Map(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: Type
        value: Type
        def __init__(self, key: _Optional[_Union[Type, _Mapping]] = ..., value: _Optional[_Union[Type, _Mapping]] = ...) -> None: ...
    STRUCT_FIELD_NUMBER: _ClassVar[int]
    LIST_FIELD_NUMBER: _ClassVar[int]
    MAP_FIELD_NUMBER: _ClassVar[int]
    struct: Struct
    list: Type.List
    map: Type.Map
    def __init__(self, struct: _Optional[_Union[Struct, _Mapping]] = ..., list: _Optional[_Union[Type.List, _Mapping]] = ..., map: _Optional[_Union[Type.Map, _Mapping]] = ...) -> None: ...

class MaskExpression(_message.Message):
    __slots__ = ("select",)
    class Select(_message.Message):
        __slots__ = ()
        def __init__(self) -> None: ...
    class StructItem(_message.Message):
        __slots__ = ("field", "child")
        FIELD_FIELD_NUMBER: _ClassVar[int]
        CHILD_FIELD_NUMBER: _ClassVar[int]
        field: int
        child: MaskExpression.Select
        def __init__(self, field: _Optional[int] = ..., child: _Optional[_Union[MaskExpression.Select, _Mapping]] = ...) -> None: ...
    class StructSelect(_message.Message):
        __slots__ = ("struct_items",)
        STRUCT_ITEMS_FIELD_NUMBER: _ClassVar[int]
        struct_items: _containers.RepeatedCompositeFieldContainer[MaskExpression.StructItem]
        def __init__(self, struct_items: _Optional[_Iterable[_Union[MaskExpression.StructItem, _Mapping]]] = ...) -> None: ...
    SELECT_FIELD_NUMBER: _ClassVar[int]
    select: MaskExpression.StructSelect
    def __init__(self, select: _Optional[_Union[MaskExpression.StructSelect, _Mapping]] = ...) -> None: ...

class FilterRel(_message.Message):
    __slots__ = ("common", "input", "condition")
    COMMON_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    CONDITION_FIELD_NUMBER: _ClassVar[int]
    common: RelCommon
    input: Rel
    condition: Expression
    def __init__(self, common: _Optional[_Union[RelCommon, _Mapping]] = ..., input: _Optional[_Union[Rel, _Mapping]] = ..., condition: _Optional[_Union[Expression, _Mapping]] = ...) -> None: ...

class FetchRel(_message.Message):
    __slots__ = ("common", "input", "offset_expr", "count_expr")
    COMMON_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    OFFSET_EXPR_FIELD_NUMBER: _ClassVar[int]
    COUNT_EXPR_FIELD_NUMBER: _ClassVar[int]
    common: RelCommon
    input: Rel
    offset_expr: Expression
    count_expr: Expression
    def __init__(self, common: _Optional[_Union[RelCommon, _Mapping]] = ..., input: _Optional[_Union[Rel, _Mapping]] = ..., offset_expr: _Optional[_Union[Expression, _Mapping]] = ..., count_expr: _Optional[_Union[Expression, _Mapping]] = ...) -> None: ...

class AggregateRel(_message.Message):
    __slots__ = ("common", "input", "groupings", "measures", "grouping_expressions")
    class Measure(_message.Message):
        __slots__ = ("measure", "filter")
        MEASURE_FIELD_NUMBER: _ClassVar[int]
        FILTER_FIELD_NUMBER: _ClassVar[int]
        measure: FunctionWithSorts
        filter: Expression
        def __init__(self, measure: _Optional[_Union[FunctionWithSorts, _Mapping]] = ..., filter: _Optional[_Union[Expression, _Mapping]] = ...) -> None: ...
    class Grouping(_message.Message):
        __slots__ = ("grouping_expressions",)
        GROUPING_EXPRESSIONS_FIELD_NUMBER: _ClassVar[int]
        grouping_expressions: _containers.RepeatedCompositeFieldContainer[Expression]
        def __init__(self, grouping_expressions: _Optional[_Iterable[_Union[Expression, _Mapping]]] = ...) -> None: ...
    COMMON_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    GROUPINGS_FIELD_NUMBER: _ClassVar[int]
    MEASURES_FIELD_NUMBER: _ClassVar[int]
    GROUPING_EXPRESSIONS_FIELD_NUMBER: _ClassVar[int]
    common: RelCommon
    input: Rel
    groupings: _containers.RepeatedCompositeFieldContainer[AggregateRel.Grouping]
    measures: _containers.RepeatedCompositeFieldContainer[AggregateRel.Measure]
    grouping_expressions: _containers.RepeatedCompositeFieldContainer[Expression]
    def __init__(self, common: _Optional[_Union[RelCommon, _Mapping]] = ..., input: _Optional[_Union[Rel, _Mapping]] = ..., groupings: _Optional[_Iterable[_Union[AggregateRel.Grouping, _Mapping]]] = ..., measures: _Optional[_Iterable[_Union[AggregateRel.Measure, _Mapping]]] = ..., grouping_expressions: _Optional[_Iterable[_Union[Expression, _Mapping]]] = ...) -> None: ...

class FunctionWithSorts(_message.Message):
    __slots__ = ("function_reference", "sorts", "arguments")
    FUNCTION_REFERENCE_FIELD_NUMBER: _ClassVar[int]
    SORTS_FIELD_NUMBER: _ClassVar[int]
    ARGUMENTS_FIELD_NUMBER: _ClassVar[int]
    function_reference: int
    sorts: _containers.RepeatedCompositeFieldContainer[SortField]
    arguments: _containers.RepeatedCompositeFieldContainer[FunctionArgument]
    def __init__(self, function_reference: _Optional[int] = ..., sorts: _Optional[_Iterable[_Union[SortField, _Mapping]]] = ..., arguments: _Optional[_Iterable[_Union[FunctionArgument, _Mapping]]] = ...) -> None: ...

class SortRel(_message.Message):
    __slots__ = ("common", "input", "sorts")
    COMMON_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    SORTS_FIELD_NUMBER: _ClassVar[int]
    common: RelCommon
    input: Rel
    sorts: _containers.RepeatedCompositeFieldContainer[SortField]
    def __init__(self, common: _Optional[_Union[RelCommon, _Mapping]] = ..., input: _Optional[_Union[Rel, _Mapping]] = ..., sorts: _Optional[_Iterable[_Union[SortField, _Mapping]]] = ...) -> None: ...

class SortField(_message.Message):
    __slots__ = ("expr",)
    EXPR_FIELD_NUMBER: _ClassVar[int]
    expr: Expression
    def __init__(self, expr: _Optional[_Union[Expression, _Mapping]] = ...) -> None: ...

class JoinRel(_message.Message):
    __slots__ = ("common", "left", "right", "expression", "post_join_filter")
    COMMON_FIELD_NUMBER: _ClassVar[int]
    LEFT_FIELD_NUMBER: _ClassVar[int]
    RIGHT_FIELD_NUMBER: _ClassVar[int]
    EXPRESSION_FIELD_NUMBER: _ClassVar[int]
    POST_JOIN_FILTER_FIELD_NUMBER: _ClassVar[int]
    common: RelCommon
    left: Rel
    right: Rel
    expression: Expression
    post_join_filter: Expression
    def __init__(self, common: _Optional[_Union[RelCommon, _Mapping]] = ..., left: _Optional[_Union[Rel, _Mapping]] = ..., right: _Optional[_Union[Rel, _Mapping]] = ..., expression: _Optional[_Union[Expression, _Mapping]] = ..., post_join_filter: _Optional[_Union[Expression, _Mapping]] = ...) -> None: ...

class KeyedJoinRel(_message.Message):
    __slots__ = ("common", "left", "right", "post_join_filter")
    COMMON_FIELD_NUMBER: _ClassVar[int]
    LEFT_FIELD_NUMBER: _ClassVar[int]
    RIGHT_FIELD_NUMBER: _ClassVar[int]
    POST_JOIN_FILTER_FIELD_NUMBER: _ClassVar[int]
    common: RelCommon
    left: Rel
    right: Rel
    post_join_filter: Expression
    def __init__(self, common: _Optional[_Union[RelCommon, _Mapping]] = ..., left: _Optional[_Union[Rel, _Mapping]] = ..., right: _Optional[_Union[Rel, _Mapping]] = ..., post_join_filter: _Optional[_Union[Expression, _Mapping]] = ...) -> None: ...

class NestedLoopJoinRel(_message.Message):
    __slots__ = ("common", "left", "right", "expression")
    COMMON_FIELD_NUMBER: _ClassVar[int]
    LEFT_FIELD_NUMBER: _ClassVar[int]
    RIGHT_FIELD_NUMBER: _ClassVar[int]
    EXPRESSION_FIELD_NUMBER: _ClassVar[int]
    common: RelCommon
    left: Rel
    right: Rel
    expression: Expression
    def __init__(self, common: _Optional[_Union[RelCommon, _Mapping]] = ..., left: _Optional[_Union[Rel, _Mapping]] = ..., right: _Optional[_Union[Rel, _Mapping]] = ..., expression: _Optional[_Union[Expression, _Mapping]] = ...) -> None: ...

class ProjectRel(_message.Message):
    __slots__ = ("common", "input", "expressions")
    COMMON_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    EXPRESSIONS_FIELD_NUMBER: _ClassVar[int]
    common: RelCommon
    input: Rel
    expressions: _containers.RepeatedCompositeFieldContainer[Expression]
    def __init__(self, common: _Optional[_Union[RelCommon, _Mapping]] = ..., input: _Optional[_Union[Rel, _Mapping]] = ..., expressions: _Optional[_Iterable[_Union[Expression, _Mapping]]] = ...) -> None: ...

class SetRel(_message.Message):
    __slots__ = ("common", "inputs")
    COMMON_FIELD_NUMBER: _ClassVar[int]
    INPUTS_FIELD_NUMBER: _ClassVar[int]
    common: RelCommon
    inputs: _containers.RepeatedCompositeFieldContainer[Rel]
    def __init__(self, common: _Optional[_Union[RelCommon, _Mapping]] = ..., inputs: _Optional[_Iterable[_Union[Rel, _Mapping]]] = ...) -> None: ...

class CrossRel(_message.Message):
    __slots__ = ("common", "left", "right")
    COMMON_FIELD_NUMBER: _ClassVar[int]
    LEFT_FIELD_NUMBER: _ClassVar[int]
    RIGHT_FIELD_NUMBER: _ClassVar[int]
    common: RelCommon
    left: Rel
    right: Rel
    def __init__(self, common: _Optional[_Union[RelCommon, _Mapping]] = ..., left: _Optional[_Union[Rel, _Mapping]] = ..., right: _Optional[_Union[Rel, _Mapping]] = ...) -> None: ...

class SingleRel(_message.Message):
    __slots__ = ("common", "input")
    COMMON_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    common: RelCommon
    input: Rel
    def __init__(self, common: _Optional[_Union[RelCommon, _Mapping]] = ..., input: _Optional[_Union[Rel, _Mapping]] = ...) -> None: ...

class ExtensionSingleRel(_message.Message):
    __slots__ = ("common", "input")
    COMMON_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    common: RelCommon
    input: Rel
    def __init__(self, common: _Optional[_Union[RelCommon, _Mapping]] = ..., input: _Optional[_Union[Rel, _Mapping]] = ...) -> None: ...

class ExtensionMultiRel(_message.Message):
    __slots__ = ("common", "inputs")
    COMMON_FIELD_NUMBER: _ClassVar[int]
    INPUTS_FIELD_NUMBER: _ClassVar[int]
    common: RelCommon
    inputs: _containers.RepeatedCompositeFieldContainer[Rel]
    def __init__(self, common: _Optional[_Union[RelCommon, _Mapping]] = ..., inputs: _Optional[_Iterable[_Union[Rel, _Mapping]]] = ...) -> None: ...

class WindowRel(_message.Message):
    __slots__ = ("common", "input", "window_functions", "partition_expressions", "sorts")
    class WindowRelFunction(_message.Message):
        __slots__ = ("function_reference", "arguments")
        FUNCTION_REFERENCE_FIELD_NUMBER: _ClassVar[int]
        ARGUMENTS_FIELD_NUMBER: _ClassVar[int]
        function_reference: int
        arguments: _containers.RepeatedCompositeFieldContainer[FunctionArgument]
        def __init__(self, function_reference: _Optional[int] = ..., arguments: _Optional[_Iterable[_Union[FunctionArgument, _Mapping]]] = ...) -> None: ...
    COMMON_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FUNCTIONS_FIELD_NUMBER: _ClassVar[int]
    PARTITION_EXPRESSIONS_FIELD_NUMBER: _ClassVar[int]
    SORTS_FIELD_NUMBER: _ClassVar[int]
    common: RelCommon
    input: Rel
    window_functions: _containers.RepeatedCompositeFieldContainer[WindowRel.WindowRelFunction]
    partition_expressions: _containers.RepeatedCompositeFieldContainer[Expression]
    sorts: _containers.RepeatedCompositeFieldContainer[SortField]
    def __init__(self, common: _Optional[_Union[RelCommon, _Mapping]] = ..., input: _Optional[_Union[Rel, _Mapping]] = ..., window_functions: _Optional[_Iterable[_Union[WindowRel.WindowRelFunction, _Mapping]]] = ..., partition_expressions: _Optional[_Iterable[_Union[Expression, _Mapping]]] = ..., sorts: _Optional[_Iterable[_Union[SortField, _Mapping]]] = ...) -> None: ...

class FunctionArgument(_message.Message):
    __slots__ = ("value",)
    VALUE_FIELD_NUMBER: _ClassVar[int]
    value: Expression
    def __init__(self, value: _Optional[_Union[Expression, _Mapping]] = ...) -> None: ...

class Expression(_message.Message):
    __slots__ = ("literal", "selection", "scalar_function", "window_function", "if_then", "switch_expression", "singular_or_list", "multi_or_list", "cast", "subquery", "nested")
    class FieldReference(_message.Message):
        __slots__ = ("direct_reference", "expression", "root_reference")
        class RootReference(_message.Message):
            __slots__ = ()
            def __init__(self) -> None: ...
        DIRECT_REFERENCE_FIELD_NUMBER: _ClassVar[int]
        EXPRESSION_FIELD_NUMBER: _ClassVar[int]
        ROOT_REFERENCE_FIELD_NUMBER: _ClassVar[int]
        direct_reference: Expression.ReferenceSegment
        expression: Expression
        root_reference: Expression.FieldReference.RootReference
        def __init__(self, direct_reference: _Optional[_Union[Expression.ReferenceSegment, _Mapping]] = ..., expression: _Optional[_Union[Expression, _Mapping]] = ..., root_reference: _Optional[_Union[Expression.FieldReference.RootReference, _Mapping]] = ...) -> None: ...
    class ReferenceSegment(_message.Message):
        __slots__ = ("struct_field",)
        STRUCT_FIELD_FIELD_NUMBER: _ClassVar[int]
        struct_field: Expression.StructField
        def __init__(self, struct_field: _Optional[_Union[Expression.StructField, _Mapping]] = ...) -> None: ...
    class StructField(_message.Message):
        __slots__ = ("field",)
        FIELD_FIELD_NUMBER: _ClassVar[int]
        field: int
        def __init__(self, field: _Optional[int] = ...) -> None: ...
    class Literal(_message.Message):
        __slots__ = ("string",)
        class Struct(_message.Message):
            __slots__ = ("fields",)
            FIELDS_FIELD_NUMBER: _ClassVar[int]
            fields: _containers.RepeatedCompositeFieldContainer[Expression.Literal]
            def __init__(self, fields: _Optional[_Iterable[_Union[Expression.Literal, _Mapping]]] = ...) -> None: ...
        STRING_FIELD_NUMBER: _ClassVar[int]
        string: str
        def __init__(self, string: _Optional[str] = ...) -> None: ...
    class Nested(_message.Message):
        __slots__ = ("struct", "list", "map")
        class Struct(_message.Message):
            __slots__ = ("fields",)
            FIELDS_FIELD_NUMBER: _ClassVar[int]
            fields: _containers.RepeatedCompositeFieldContainer[Expression]
            def __init__(self, fields: _Optional[_Iterable[_Union[Expression, _Mapping]]] = ...) -> None: ...
        class List(_message.Message):
            __slots__ = ("values",)
            VALUES_FIELD_NUMBER: _ClassVar[int]
            values: _containers.RepeatedCompositeFieldContainer[Expression]
            def __init__(self, values: _Optional[_Iterable[_Union[Expression, _Mapping]]] = ...) -> None: ...
        class Map(_message.Message):
            __slots__ = ("key_values",)
            class KeyValue(_message.Message):
                __slots__ = ("key", "value")
                KEY_FIELD_NUMBER: _ClassVar[int]
                VALUE_FIELD_NUMBER: _ClassVar[int]
                key: Expression
                value: Expression
                def __init__(self, key: _Optional[_Union[Expression, _Mapping]] = ..., value: _Optional[_Union[Expression, _Mapping]] = ...) -> None: ...
            KEY_VALUES_FIELD_NUMBER: _ClassVar[int]
            key_values: _containers.RepeatedCompositeFieldContainer[Expression.Nested.Map.KeyValue]
            def __init__(self, key_values: _Optional[_Iterable[_Union[Expression.Nested.Map.KeyValue, _Mapping]]] = ...) -> None: ...
        STRUCT_FIELD_NUMBER: _ClassVar[int]
        LIST_FIELD_NUMBER: _ClassVar[int]
        MAP_FIELD_NUMBER: _ClassVar[int]
        struct: Expression.Nested.Struct
        list: Expression.Nested.List
        map: Expression.Nested.Map
        def __init__(self, struct: _Optional[_Union[Expression.Nested.Struct, _Mapping]] = ..., list: _Optional[_Union[Expression.Nested.List, _Mapping]] = ..., map: _Optional[_Union[Expression.Nested.Map, _Mapping]] = ...) -> None: ...
    class ScalarFunction(_message.Message):
        __slots__ = ("function_reference", "arguments")
        FUNCTION_REFERENCE_FIELD_NUMBER: _ClassVar[int]
        ARGUMENTS_FIELD_NUMBER: _ClassVar[int]
        function_reference: int
        arguments: _containers.RepeatedCompositeFieldContainer[FunctionArgument]
        def __init__(self, function_reference: _Optional[int] = ..., arguments: _Optional[_Iterable[_Union[FunctionArgument, _Mapping]]] = ...) -> None: ...
    class WindowFunction(_message.Message):
        __slots__ = ("function_reference", "partitions", "sorts", "arguments")
        FUNCTION_REFERENCE_FIELD_NUMBER: _ClassVar[int]
        PARTITIONS_FIELD_NUMBER: _ClassVar[int]
        SORTS_FIELD_NUMBER: _ClassVar[int]
        ARGUMENTS_FIELD_NUMBER: _ClassVar[int]
        function_reference: int
        partitions: _containers.RepeatedCompositeFieldContainer[Expression]
        sorts: _containers.RepeatedCompositeFieldContainer[SortField]
        arguments: _containers.RepeatedCompositeFieldContainer[FunctionArgument]
        def __init__(self, function_reference: _Optional[int] = ..., partitions: _Optional[_Iterable[_Union[Expression, _Mapping]]] = ..., sorts: _Optional[_Iterable[_Union[SortField, _Mapping]]] = ..., arguments: _Optional[_Iterable[_Union[FunctionArgument, _Mapping]]] = ...) -> None: ...
    class IfThen(_message.Message):
        __slots__ = ("ifs",)
        class IfClause(_message.Message):
            __slots__ = ("then",)
            IF_FIELD_NUMBER: _ClassVar[int]
            THEN_FIELD_NUMBER: _ClassVar[int]
            then: Expression
            def __init__(self, then: _Optional[_Union[Expression, _Mapping]] = ..., **kwargs) -> None: ...
        IFS_FIELD_NUMBER: _ClassVar[int]
        ELSE_FIELD_NUMBER: _ClassVar[int]
        ifs: _containers.RepeatedCompositeFieldContainer[Expression.IfThen.IfClause]
        def __init__(self, ifs: _Optional[_Iterable[_Union[Expression.IfThen.IfClause, _Mapping]]] = ..., **kwargs) -> None: ...
    class SwitchExpression(_message.Message):
        __slots__ = ("ifs", "match")
        class IfValue(_message.Message):
            __slots__ = ("then",)
            THEN_FIELD_NUMBER: _ClassVar[int]
            then: Expression
            def __init__(self, then: _Optional[_Union[Expression, _Mapping]] = ...) -> None: ...
        IFS_FIELD_NUMBER: _ClassVar[int]
        ELSE_FIELD_NUMBER: _ClassVar[int]
        MATCH_FIELD_NUMBER: _ClassVar[int]
        ifs: _containers.RepeatedCompositeFieldContainer[Expression.SwitchExpression.IfValue]
        match: Expression
        def __init__(self, ifs: _Optional[_Iterable[_Union[Expression.SwitchExpression.IfValue, _Mapping]]] = ..., match: _Optional[_Union[Expression, _Mapping]] = ..., **kwargs) -> None: ...
    class SingularOrList(_message.Message):
        __slots__ = ("value", "options")
        VALUE_FIELD_NUMBER: _ClassVar[int]
        OPTIONS_FIELD_NUMBER: _ClassVar[int]
        value: Expression
        options: _containers.RepeatedCompositeFieldContainer[Expression]
        def __init__(self, value: _Optional[_Union[Expression, _Mapping]] = ..., options: _Optional[_Iterable[_Union[Expression, _Mapping]]] = ...) -> None: ...
    class MultiOrList(_message.Message):
        __slots__ = ("value", "options")
        class Record(_message.Message):
            __slots__ = ("fields",)
            FIELDS_FIELD_NUMBER: _ClassVar[int]
            fields: _containers.RepeatedCompositeFieldContainer[Expression]
            def __init__(self, fields: _Optional[_Iterable[_Union[Expression, _Mapping]]] = ...) -> None: ...
        VALUE_FIELD_NUMBER: _ClassVar[int]
        OPTIONS_FIELD_NUMBER: _ClassVar[int]
        value: _containers.RepeatedCompositeFieldContainer[Expression]
        options: _containers.RepeatedCompositeFieldContainer[Expression.MultiOrList.Record]
        def __init__(self, value: _Optional[_Iterable[_Union[Expression, _Mapping]]] = ..., options: _Optional[_Iterable[_Union[Expression.MultiOrList.Record, _Mapping]]] = ...) -> None: ...
    class Cast(_message.Message):
        __slots__ = ("input",)
        INPUT_FIELD_NUMBER: _ClassVar[int]
        input: Expression
        def __init__(self, input: _Optional[_Union[Expression, _Mapping]] = ...) -> None: ...
    class Subquery(_message.Message):
        __slots__ = ("scalar", "in_predicate", "set_predicate", "set_comparison")
        class Scalar(_message.Message):
            __slots__ = ("input",)
            INPUT_FIELD_NUMBER: _ClassVar[int]
            input: Rel
            def __init__(self, input: _Optional[_Union[Rel, _Mapping]] = ...) -> None: ...
        class InPredicate(_message.Message):
            __slots__ = ("needles", "haystack")
            NEEDLES_FIELD_NUMBER: _ClassVar[int]
            HAYSTACK_FIELD_NUMBER: _ClassVar[int]
            needles: _containers.RepeatedCompositeFieldContainer[Expression]
            haystack: Rel
            def __init__(self, needles: _Optional[_Iterable[_Union[Expression, _Mapping]]] = ..., haystack: _Optional[_Union[Rel, _Mapping]] = ...) -> None: ...
        class SetPredicate(_message.Message):
            __slots__ = ("tuples",)
            TUPLES_FIELD_NUMBER: _ClassVar[int]
            tuples: Rel
            def __init__(self, tuples: _Optional[_Union[Rel, _Mapping]] = ...) -> None: ...
        class SetComparison(_message.Message):
            __slots__ = ("left", "right")
            LEFT_FIELD_NUMBER: _ClassVar[int]
            RIGHT_FIELD_NUMBER: _ClassVar[int]
            left: Expression
            right: Rel
            def __init__(self, left: _Optional[_Union[Expression, _Mapping]] = ..., right: _Optional[_Union[Rel, _Mapping]] = ...) -> None: ...
        SCALAR_FIELD_NUMBER: _ClassVar[int]
        IN_PREDICATE_FIELD_NUMBER: _ClassVar[int]
        SET_PREDICATE_FIELD_NUMBER: _ClassVar[int]
        SET_COMPARISON_FIELD_NUMBER: _ClassVar[int]
        scalar: Expression.Subquery.Scalar
        in_predicate: Expression.Subquery.InPredicate
        set_predicate: Expression.Subquery.SetPredicate
        set_comparison: Expression.Subquery.SetComparison
        def __init__(self, scalar: _Optional[_Union[Expression.Subquery.Scalar, _Mapping]] = ..., in_predicate: _Optional[_Union[Expression.Subquery.InPredicate, _Mapping]] = ..., set_predicate: _Optional[_Union[Expression.Subquery.SetPredicate, _Mapping]] = ..., set_comparison: _Optional[_Union[Expression.Subquery.SetComparison, _Mapping]] = ...) -> None: ...
    LITERAL_FIELD_NUMBER: _ClassVar[int]
    SELECTION_FIELD_NUMBER: _ClassVar[int]
    SCALAR_FUNCTION_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FUNCTION_FIELD_NUMBER: _ClassVar[int]
    IF_THEN_FIELD_NUMBER: _ClassVar[int]
    SWITCH_EXPRESSION_FIELD_NUMBER: _ClassVar[int]
    SINGULAR_OR_LIST_FIELD_NUMBER: _ClassVar[int]
    MULTI_OR_LIST_FIELD_NUMBER: _ClassVar[int]
    CAST_FIELD_NUMBER: _ClassVar[int]
    SUBQUERY_FIELD_NUMBER: _ClassVar[int]
    NESTED_FIELD_NUMBER: _ClassVar[int]
    literal: Expression.Literal
    selection: Expression.FieldReference
    scalar_function: Expression.ScalarFunction
    window_function: Expression.WindowFunction
    if_then: Expression.IfThen
    switch_expression: Expression.SwitchExpression
    singular_or_list: Expression.SingularOrList
    multi_or_list: Expression.MultiOrList
    cast: Expression.Cast
    subquery: Expression.Subquery
    nested: Expression.Nested
    def __init__(self, literal: _Optional[_Union[Expression.Literal, _Mapping]] = ..., selection: _Optional[_Union[Expression.FieldReference, _Mapping]] = ..., scalar_function: _Optional[_Union[Expression.ScalarFunction, _Mapping]] = ..., window_function: _Optional[_Union[Expression.WindowFunction, _Mapping]] = ..., if_then: _Optional[_Union[Expression.IfThen, _Mapping]] = ..., switch_expression: _Optional[_Union[Expression.SwitchExpression, _Mapping]] = ..., singular_or_list: _Optional[_Union[Expression.SingularOrList, _Mapping]] = ..., multi_or_list: _Optional[_Union[Expression.MultiOrList, _Mapping]] = ..., cast: _Optional[_Union[Expression.Cast, _Mapping]] = ..., subquery: _Optional[_Union[Expression.Subquery, _Mapping]] = ..., nested: _Optional[_Union[Expression.Nested, _Mapping]] = ...) -> None: ...
